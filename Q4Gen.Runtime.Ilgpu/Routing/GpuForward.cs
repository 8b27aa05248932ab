using ILGPU;
using ILGPU.Runtime;
using Q4Gen.Gpu.Kernels;

namespace Q4Gen.Gpu;

/// <summary>
/// From a checked call to kernels: on tensor cores where the GPU has them and the shape's groups are whole fragments,
/// else by the SIMT kernel, which is the specification.
/// </summary>
internal static class GpuForward
{
    /// <summary>Bytes that the vectors of kernels are aligned to.</summary>
    private const int Alignment = 16;

    public static void Run(GpuWeights weights, GpuTensor x, GpuTensor y, int rows)
    {
        if (x.Context.HasTensorCores && weights.Kernels.TensorKernels.Count > 0)
        {
            RunTensor(weights, x, y, rows);
            return;
        }

        switch (x.Element, y.Element)
        {
            case (GpuElement.Float32, GpuElement.Float32):
                RunSimt<F32, F32>(weights, x, y, rows);
                break;
            case (GpuElement.Float32, GpuElement.Float16):
                RunSimt<F32, F16>(weights, x, y, rows);
                break;
            case (GpuElement.Float16, GpuElement.Float32):
                RunSimt<F16, F32>(weights, x, y, rows);
                break;
            default:
                RunSimt<F16, F16>(weights, x, y, rows);
                break;
        }
    }

    private static void RunSimt<TX, TY>(GpuWeights weights, GpuTensor x, GpuTensor y, int rows)
        where TX : unmanaged, IActivation<TX>
        where TY : unmanaged, IActivation<TY> =>
        weights.Kernels.Simt<TX, TY>().Run(
            x.Stream, weights.Views, x.View<TX>(), y.View<TY>(), rows, isAligned: IsAligned(x) && IsAligned(y));

    private static void RunTensor(GpuWeights weights, GpuTensor x, GpuTensor y, int rows)
    {
        Linear4BitShape shape = weights.Shape;
        TensorFlags flags = y.Element == GpuElement.Float16 ? TensorFlags.HalfOutput : TensorFlags.None;
        if (x.Element == GpuElement.Float16 && shape.In == TensorActivations.Columns(shape) && IsAligned(x) && IsAligned(y))
        {
            weights.Kernels.Tensor(rows).Run(x.Stream, weights.Pointers, x.Address, y.Address, rows, flags);
            return;
        }

        using var activations = TensorActivations.Prepare(x, shape, rows);
        GpuStream stream = x.Stream;
        MemoryBuffer1D<byte, Stride1D.Dense> results = stream.Pool.Rent((long)activations.Rows * shape.Out * sizeof(float));
        try
        {
            weights.Kernels.Tensor(activations.Rows).Run(
                stream, weights.Pointers, activations.Address, results.NativePtr, activations.Rows, TensorFlags.NoBias);
            ArrayView<float> sums = results.View.BaseView.Cast<float>();
            if (y.Element == GpuElement.Float16)
            {
                activations.Finish(sums, weights.Views.Bias, y.View<F16>(), shape.Out);
            }
            else
            {
                activations.Finish(sums, weights.Views.Bias, y.View<F32>(), shape.Out);
            }
        }
        finally
        {
            stream.Pool.Return(results);
        }
    }

    private static bool IsAligned(GpuTensor tensor) => tensor.Address % Alignment == 0;
}
