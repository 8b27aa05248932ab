namespace Q4Gen.Tool.Bench;

/// <summary>How long and on what to measure.</summary>
/// <param name="Threads">Threads that share a call.</param>
internal sealed record BenchOptions(int Threads)
{
    /// <summary>Measuring ends after the round in which this has passed.</summary>
    public TimeSpan Duration { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Fewer rounds give no median to rely on.</summary>
    public int MinRounds { get; init; } = 5;

    /// <summary>More say nothing new.</summary>
    public int MaxRounds { get; init; } = 100;

    /// <summary>
    /// Bytes of weights over which calls rotate, so that no cache keeps them from one call to the next, and of the buffer
    /// that the machine's bandwidth is measured on.
    /// </summary>
    public long ColdBytes { get; init; } = Math.Max(256_000_000, 2 * LastLevelCache.Bytes);
}
