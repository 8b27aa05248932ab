using Q4Gen.Benchmarks.Machine;

namespace Q4Gen.Benchmarks.Compare;

/// <summary>One engine's time for one shape, number of rows and number of threads.</summary>
/// <param name="Engine">The engine.</param>
/// <param name="Shape">The layer's shape.</param>
/// <param name="Rows">Rows of x, M.</param>
/// <param name="Threads">Threads a call.</param>
/// <param name="Seconds">Time of a call, over the rounds.</param>
/// <param name="RelativeError">Against float64, in the L2 norm.</param>
/// <param name="WeightBytes">Bytes of nibbles and F16 scales.</param>
/// <param name="LeastSeconds">The least time that the machine's limits allow, from the same rounds.</param>
internal sealed record Measurement(
    EngineKind Engine, Linear4BitShape Shape, int Rows, int Threads, Spread Seconds, double RelativeError, double WeightBytes, double LeastSeconds)
{
    /// <summary>Bytes of weights a second.</summary>
    public double BytesPerSecond => WeightBytes / Seconds.Median;

    /// <summary>Operations a second; a multiply-add counts as two.</summary>
    public double OperationsPerSecond => 2.0 * Rows * Shape.In * Shape.Out / Seconds.Median;

    /// <summary>Operations for each byte of weights.</summary>
    public double Intensity => 2.0 * Rows * Shape.In * Shape.Out / WeightBytes;

    /// <summary>1 at the machine's limit.</summary>
    public double ShareOfLimit => LeastSeconds / Seconds.Median;
}

/// <summary>All engines on one shape and number of threads.</summary>
/// <param name="Shape">The layer's shape.</param>
/// <param name="Threads">Threads a call.</param>
/// <param name="Copies">Copies of the weights over which calls rotate.</param>
/// <param name="IsCold">Whether those are too many for any cache.</param>
/// <param name="Descriptions">What each engine runs, by its name.</param>
/// <param name="Rows">The measurements, by M and then by engine.</param>
/// <param name="UnpackSeconds">Time of <c>ForwardUnpack</c> of one row; null where M = 1 was not asked for.</param>
/// <param name="Limits">The machine's limits, medians over all rounds.</param>
internal sealed record ShapeResult(
    Linear4BitShape Shape,
    int Threads,
    int Copies,
    bool IsCold,
    IReadOnlyDictionary<string, string> Descriptions,
    IReadOnlyList<Measurement> Rows,
    double? UnpackSeconds,
    Limits Limits);
