namespace Q4Gen.Benchmarks.Gpu;

/// <summary>Time of one layer for one number of rows; float16 in and out.</summary>
/// <param name="Shape">The layer's shape.</param>
/// <param name="Rows">Rows of x, M.</param>
/// <param name="Kernel">The kernel, as its name begins.</param>
/// <param name="UsMedian">Microseconds of a call between two events, the median.</param>
/// <param name="UsMin">The least.</param>
/// <param name="UsGraph">Microseconds of a call in a captured pass over all copies; null where there is none.</param>
/// <param name="RelativeError">The largest relative error of a checked row of y, in the L2 norm.</param>
/// <param name="CopyBytesPerSecond">Bytes that the device reads and writes a second when it copies.</param>
internal sealed record GpuMeasurement(
    Linear4BitShape Shape, int Rows, string Kernel, double UsMedian, double UsMin, double? UsGraph, double RelativeError, double CopyBytesPerSecond)
{
    /// <summary>Bytes of weights a second: packed words and scales, each read once.</summary>
    public double BytesPerSecond => (Shape.PackedWeightBytes + Shape.PackedScaleBytes) / UsMedian * 1e6;

    /// <summary>Of what the device copies.</summary>
    public double ShareOfCopy => BytesPerSecond / CopyBytesPerSecond;

    /// <summary>Operations a second; a multiply-add counts as two.</summary>
    public double OperationsPerSecond => 2.0 * Rows * Shape.In * Shape.Out / UsMedian * 1e6;
}
