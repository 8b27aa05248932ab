using ILGPU;
using ILGPU.Runtime;
using Q4Gen.Gpu.Kernels;

namespace Q4Gen.Gpu;

/// <summary>
/// From a checked call to kernels: on tensor cores where the GPU has them and the shape's groups are whole fragments,
/// else by the SIMT kernel, which is the specification. What comes before and after for an input order and for offsets is
/// the same for all of them, and nothing where a layer has neither.
/// </summary>
internal static class GpuForward
{
    public static void Run(GpuWeights weights, GpuTensor x, GpuTensor y, int rows)
    {
        GpuMatrix input = GpuMatrix.Of(x), output = GpuMatrix.Of(y);
        if (!weights.HasInputOrder)
        {
            RunOrdered(weights, input, output, rows);
            return;
        }

        GpuStream stream = x.Stream;
        long elements = (long)rows * weights.Shape.In;
        MemoryBuffer1D<byte, Stride1D.Dense> memory = stream.Pool.Rent(elements * GpuTensor.SizeOf(x.Element));
        try
        {
            var ordered = GpuMatrix.Of(stream, memory, x.Element, elements);
            GpuInputs.Gather(weights, input, ordered, rows);
            RunOrdered(weights, ordered, output, rows);
        }
        finally
        {
            stream.Pool.Return(memory);
        }
    }

    /// <summary>From x in the order of columns on.</summary>
    private static void RunOrdered(GpuWeights weights, GpuMatrix x, GpuMatrix y, int rows)
    {
        if (!weights.IsAffine)
        {
            Multiply(weights, x, y, rows);
            return;
        }

        GpuStream stream = x.Stream;
        MemoryBuffer1D<byte, Stride1D.Dense> sums = stream.Pool.Rent((long)rows * weights.Shape.Groups * sizeof(float));
        try
        {
            GpuInputs.Sum(weights, x, sums.View.BaseView.Cast<float>(), rows);
            if (y.Element == GpuElement.Float32)
            {
                Multiply(weights, x, y, rows);
                GpuInputs.AddOffsets(weights, y, sums.View.BaseView.Cast<float>(), y, rows);
                return;
            }

            // Float16 is rounded to once, when the offsets are in.
            long elements = (long)rows * weights.Shape.Out;
            MemoryBuffer1D<byte, Stride1D.Dense> memory = stream.Pool.Rent(elements * sizeof(float));
            try
            {
                var results = GpuMatrix.Of(stream, memory, GpuElement.Float32, elements);
                Multiply(weights, x, results, rows);
                GpuInputs.AddOffsets(weights, results, sums.View.BaseView.Cast<float>(), y, rows);
            }
            finally
            {
                stream.Pool.Return(memory);
            }
        }
        finally
        {
            stream.Pool.Return(sums);
        }
    }

    /// <summary>The layer without its offsets.</summary>
    private static void Multiply(GpuWeights weights, GpuMatrix x, GpuMatrix y, int rows)
    {
        if (x.Stream.Context.HasTensorCores && weights.Kernels.TensorKernels.Count > 0)
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

    private static void RunSimt<TX, TY>(GpuWeights weights, GpuMatrix x, GpuMatrix y, int rows)
        where TX : unmanaged, IActivation<TX>
        where TY : unmanaged, IActivation<TY> =>
        weights.Kernels.Simt<TX, TY>().Run(
            x.Stream, weights.Views, x.View<TX>(), y.View<TY>(), rows, isAligned: x.IsAligned && y.IsAligned);

    private static void RunTensor(GpuWeights weights, GpuMatrix x, GpuMatrix y, int rows)
    {
        Linear4BitShape shape = weights.Shape;
        TensorFlags flags = y.Element == GpuElement.Float16 ? TensorFlags.HalfOutput : TensorFlags.None;
        if (x.Element == GpuElement.Float16 && shape.In == TensorActivations.Columns(shape) && x.IsAligned && y.IsAligned)
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
}
