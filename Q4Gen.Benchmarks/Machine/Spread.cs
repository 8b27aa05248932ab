namespace Q4Gen.Benchmarks.Machine;

/// <summary>Repeated measurements in four figures.</summary>
/// <param name="Median">Half of them are below.</param>
/// <param name="Min">The smallest.</param>
/// <param name="LowerQuartile">A quarter of them is below.</param>
/// <param name="UpperQuartile">A quarter of them is above.</param>
internal readonly record struct Spread(double Median, double Min, double LowerQuartile, double UpperQuartile)
{
    /// <summary>From at least one value.</summary>
    public static Spread Of(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return new(Quantile(sorted, 0.5), sorted[0], Quantile(sorted, 0.25), Quantile(sorted, 0.75));
    }

    /// <summary>The value below which <paramref name="share"/> of the sorted values lie, with linear interpolation.</summary>
    public static double Quantile(ReadOnlySpan<double> sorted, double share)
    {
        double position = share * (sorted.Length - 1);
        int below = (int)position;
        int above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
    }
}
