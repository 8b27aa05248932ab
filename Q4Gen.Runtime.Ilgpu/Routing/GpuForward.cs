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
        DeviceMemory memory = stream.Pool.Rent(elements * GpuTensor.SizeOf(x.Element));
        try
        {
            var ordered = GpuMatrix.Of(stream, memory, x.Element, elements);
            x.Context.Kernels.Gather(stream.Queue, x.Element, input.Range, weights.Order, ordered.Range, weights.Shape.In, rows);
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
        DeviceKernels kernels = stream.Context.Kernels;
        DeviceMemory sums = stream.Pool.Rent((long)rows * weights.Shape.Groups * sizeof(float));
        try
        {
            kernels.Sum(stream.Queue, x.Element, x.Range, sums.All, weights.Shape, rows);
            if (y.Element == GpuElement.Float32)
            {
                Multiply(weights, x, y, rows);
                kernels.AddOffsets(stream.Queue, y.Element, y.Range, weights.Offsets, sums.All, y.Range, weights.Shape, rows);
                return;
            }

            // Float16 is rounded to once, when the offsets are in.
            long elements = (long)rows * weights.Shape.Out;
            DeviceMemory memory = stream.Pool.Rent(elements * sizeof(float));
            try
            {
                var results = GpuMatrix.Of(stream, memory, GpuElement.Float32, elements);
                Multiply(weights, x, results, rows);
                kernels.AddOffsets(stream.Queue, y.Element, results.Range, weights.Offsets, sums.All, y.Range, weights.Shape, rows);
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
        if (x.Stream.Context.HasTensorCores && weights.Kernels.HasTensorKernels)
        {
            RunTensor(weights, x, y, rows);
        }
        else
        {
            weights.Kernels.RunSimt(x.Stream.Queue, weights, x, y, rows, isAligned: x.IsAligned && y.IsAligned);
        }
    }

    private static void RunTensor(GpuWeights weights, GpuMatrix x, GpuMatrix y, int rows)
    {
        Linear4BitShape shape = weights.Shape;
        TensorFlags flags = y.Element == GpuElement.Float16 ? TensorFlags.HalfOutput : TensorFlags.None;
        if (x.Element == GpuElement.Float16 && shape.In == TensorActivations.Columns(shape) && x.IsAligned && y.IsAligned)
        {
            weights.Kernels.RunTensor(x.Stream.Queue, weights, x.Address, y.Address, rows, flags);
            return;
        }

        using var activations = TensorActivations.Prepare(x, shape, rows);
        GpuStream stream = x.Stream;
        DeviceMemory results = stream.Pool.Rent((long)activations.Rows * shape.Out * sizeof(float));
        try
        {
            weights.Kernels.RunTensor(stream.Queue, weights, activations.Address, results.Address, activations.Rows, TensorFlags.NoBias);
            activations.Finish(results.All, weights.Bias, y, shape.Out);
        }
        finally
        {
            stream.Pool.Return(results);
        }
    }
}
