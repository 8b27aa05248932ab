namespace Q4Gen.Benchmarks.Machine;

/// <summary>What the machine gives at most to some number of threads.</summary>
/// <param name="ReadBandwidth">Bytes a second.</param>
/// <param name="FloatPeak">Float32 operations a second.</param>
/// <param name="Int8Peak">8-bit integer operations a second.</param>
internal readonly record struct Limits(double ReadBandwidth, double FloatPeak, double Int8Peak)
{
    /// <summary>The least time, in seconds, that <paramref name="bytes"/> and <paramref name="operations"/> can take.</summary>
    public double LeastSeconds(double bytes, double operations, bool isInt8) =>
        Math.Max(bytes / ReadBandwidth, operations / (isInt8 ? Int8Peak : FloatPeak));
}

/// <summary>Measures the machine's limits, as often as somebody asks.</summary>
internal sealed class MachineLimits : IDisposable
{
    /// <summary>Several times any last-level cache that a benchmark machine has for itself.</summary>
    private const long ReadBytes = 256 << 20;

    private readonly ProbeTeam _team;
    private readonly MemoryBandwidth _memory;

    /// <summary>Probes on <paramref name="threads"/> threads.</summary>
    public MachineLimits(int threads)
    {
        _team = new ProbeTeam(threads);
        _memory = new MemoryBandwidth(ReadBytes, _team);
    }

    /// <summary>Measures each limit once.</summary>
    public Limits Measure() => new(_memory.Measure(), ComputePeak.Float.Measure(_team), ComputePeak.Int8.Measure(_team));

    /// <summary>The median of each limit.</summary>
    public static Limits Median(IReadOnlyCollection<Limits> measured) => new(
        Spread.Of(measured.Select(static l => l.ReadBandwidth)).Median,
        Spread.Of(measured.Select(static l => l.FloatPeak)).Median,
        Spread.Of(measured.Select(static l => l.Int8Peak)).Median);

    /// <inheritdoc/>
    public void Dispose()
    {
        _team.Dispose();
        _memory.Dispose();
    }
}
