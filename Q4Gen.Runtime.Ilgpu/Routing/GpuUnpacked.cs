using ILGPU;
using ILGPU.Runtime;
using Q4Gen.Gpu.Kernels;

namespace Q4Gen.Gpu;

/// <summary>Launches the layer the plain way.</summary>
internal static class GpuUnpacked
{
    public static void Run(GpuWeights weights, GpuTensor x, GpuTensor y, int rows)
    {
        switch (x.Element, y.Element)
        {
            case (GpuElement.Float32, GpuElement.Float32):
                Run<F32, F32>(weights, x, y, rows);
                break;
            case (GpuElement.Float32, GpuElement.Float16):
                Run<F32, F16>(weights, x, y, rows);
                break;
            case (GpuElement.Float16, GpuElement.Float32):
                Run<F16, F32>(weights, x, y, rows);
                break;
            default:
                Run<F16, F16>(weights, x, y, rows);
                break;
        }
    }

    private static void Run<TX, TY>(GpuWeights weights, GpuTensor x, GpuTensor y, int rows)
        where TX : unmanaged, IActivation<TX>
        where TY : unmanaged, IActivation<TY>
    {
        GpuStream stream = x.Stream;
        GpuKernelCache kernels = x.Context.Kernels;
        var shape = new SimtShape(weights.Shape);
        var unpack = kernels.Shared<UnpackingOwner, Action<AcceleratorStream, KernelConfig, ArrayView<int>, ArrayView<ILGPU.Half>, ArrayView<float>, SimtShape>>(
            static accelerator => accelerator.LoadKernel<ArrayView<int>, ArrayView<ILGPU.Half>, ArrayView<float>, SimtShape>(UnpackedKernels.Unpack));
        var multiply = kernels.Shared<UnpackingOwner, Action<AcceleratorStream, KernelConfig, ArrayView<float>, ArrayView<ILGPU.Half>, ArrayView<int>, ArrayView<float>, ArrayView<TX>, ArrayView<TY>, SimtShape, int, int>>(
            static accelerator => accelerator.LoadKernel<ArrayView<float>, ArrayView<ILGPU.Half>, ArrayView<int>, ArrayView<float>, ArrayView<TX>, ArrayView<TY>, SimtShape, int, int>(UnpackedKernels.Multiply));
        MemoryBuffer1D<byte, Stride1D.Dense> matrix = stream.Pool.Rent((long)shape.Out * shape.In * sizeof(float));
        try
        {
            var threads = new Index3D(UnpackedKernels.Threads, 1, 1);
            ArrayView<float> values = matrix.View.BaseView.Cast<float>();
            unpack(stream.Stream, (new Index3D(shape.Out, 1, 1), threads), weights.Views.Words, weights.Views.Scales, values, shape);
            var grid = new Index3D(rows, (shape.Out + UnpackedKernels.Threads - 1) / UnpackedKernels.Threads, 1);

            // What is not there is not read; some memory must stand in its place.
            DeviceViews views = weights.Views;
            multiply(
                stream.Stream,
                (grid, threads),
                values,
                weights.IsAffine ? views.Offsets : views.Scales,
                weights.HasInputOrder ? views.Order : views.Words,
                views.Bias,
                x.View<TX>(),
                y.View<TY>(),
                shape,
                weights.IsAffine ? 1 : 0,
                weights.HasInputOrder ? 1 : 0);
        }
        finally
        {
            stream.Pool.Return(matrix);
        }
    }

    /// <summary>Names these kernels among those that all shapes share.</summary>
    private sealed class UnpackingOwner;
}
