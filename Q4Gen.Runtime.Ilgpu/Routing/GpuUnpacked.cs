namespace Q4Gen.Gpu;

/// <summary>Launches the layer the plain way.</summary>
internal static class GpuUnpacked
{
    public static void Run(GpuWeights weights, GpuTensor x, GpuTensor y, int rows)
    {
        GpuStream stream = x.Stream;
        DeviceKernels kernels = x.Context.Kernels;
        DeviceMemory matrix = stream.Pool.Rent((long)weights.Shape.Out * weights.Shape.In * sizeof(float));
        try
        {
            kernels.Unpack(stream.Queue, weights.Words, weights.Scales, matrix.All, weights.Shape);
            kernels.MultiplyUnpacked(stream.Queue, weights, matrix.All, GpuMatrix.Of(x), GpuMatrix.Of(y), rows);
        }
        finally
        {
            stream.Pool.Return(matrix);
        }
    }
}
