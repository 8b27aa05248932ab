using Q4Gen.Benchmarks.Machine;
using Q4Gen.Generator.Model;
using Q4Gen.Generator.Planning;

namespace Q4Gen.Tool.Tune;

/// <summary>What was chosen for some rows of one layer, and what that rests on.</summary>
/// <param name="Variant">The variant, or the default.</param>
/// <param name="Gain">How much less time it takes than the default, as a part of the default's: 0.05 is 5 %.</param>
/// <param name="Results">All that were timed.</param>
/// <param name="Bandwidth">Bytes a second that memory gave to plain reading meanwhile; 0 where nobody asked.</param>
internal sealed record RowsChoice(string Variant, double Gain, IReadOnlyList<RaceResult> Results, double Bandwidth);

/// <summary>
/// Finds the fastest variant for each number of rows of one layer. A default is displaced only by what is at least 3 % faster,
/// and is so again in a second race of the two alone: the best of many is partly lucky.
/// </summary>
internal sealed class LayerTuner(LayerShape shape, Isa isa, TuneWeights weights, Specification specification, Func<double> bandwidth)
{
    /// <summary>The most rows that are timed.</summary>
    public const int MaxRows = 64;

    /// <summary>What is less is not worth another kernel.</summary>
    private const double WorthIt = 1 / 1.03;

    private static readonly TimeSpan s_quietLimit = TimeSpan.FromMilliseconds(50);

    private bool IsInt8 => shape.Precision == LayerPrecision.Int8Activations;

    /// <summary>Chooses for some rows.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="chosen">What was chosen for others.</param>
    /// <param name="time">About how long to measure.</param>
    /// <param name="ct">Stops between rounds.</param>
    /// <exception cref="InvalidOperationException">A variant gives wrong results.</exception>
    public RowsChoice Choose(TunedRows rows, IReadOnlyList<Variant> chosen, TimeSpan time, CancellationToken ct)
    {
        IReadOnlyList<Variant> variants = Variants.For(shape.Precision, isa, rows);
        return rows switch
        {
            TunedRows.One => Choose(variants, chosen, [1], time, measuresBandwidth: true, ct),
            TunedRows.Few => Choose(variants, chosen, [2, 4, 7], time, measuresBandwidth: true, ct),
            _ => ChooseMany(variants, chosen, time, ct),
        };
    }

    /// <summary>First how tiles are built, with many rows; then from how many rows on they pay.</summary>
    private RowsChoice ChooseMany(IReadOnlyList<Variant> variants, IReadOnlyList<Variant> chosen, TimeSpan time, CancellationToken ct)
    {
        string from = FormattableString.Invariant($"-from{KernelPlanner.Vary(shape, isa, 1, []).MinPackedRows}");
        string defaultTile = TileOf(variants.First(variant => variant.Id.EndsWith(from, StringComparison.Ordinal)).Id);
        RowsChoice tile = Choose(
            [.. variants.Where(variant => variant.Id.EndsWith(from, StringComparison.Ordinal))], chosen, IsInt8 ? [2, 4, 8, MaxRows] : [MaxRows], time * 0.6, measuresBandwidth: false, ct);
        string best = tile.Variant == TuningEntry.Default ? DefaultTile(variants, from) ?? defaultTile : TileOf(tile.Variant);
        Variant[] froms = [.. variants.Where(variant => TileOf(variant.Id) == best)];
        RowsChoice all = Choose(froms, chosen, IsInt8 ? [2, 3, 6, 10, 20, MaxRows] : [6, 10, 14, 20, 28, 40, MaxRows], time * 0.4, measuresBandwidth: false, ct);
        return all with { Results = [.. tile.Results.Where(result => all.Results.All(other => other.Id != result.Id)), .. all.Results] };
    }

    /// <summary>The tiles of the variant that is what the planner chooses by itself.</summary>
    private string? DefaultTile(IReadOnlyList<Variant> variants, string from)
    {
        int panels = KernelPlanner.Plan(shape).Panels;
        IsaPlan planned = KernelPlanner.Vary(shape, isa, panels, []);
        return variants.Where(variant => variant.Id.EndsWith(from, StringComparison.Ordinal) && KernelPlanner.Vary(shape, isa, panels, [variant]) == planned)
            .Select(static variant => TileOf(variant.Id)).FirstOrDefault();
    }

    private static string TileOf(string id) => id[..id.LastIndexOf("-from", StringComparison.Ordinal)];

    private RowsChoice Choose(
        IReadOnlyList<Variant> variants, IReadOnlyList<Variant> chosen, int[] rowCounts, TimeSpan time, bool measuresBandwidth, CancellationToken ct)
    {
        Candidate[] candidates = Candidates.Compile(shape, isa, variants, chosen, ct);
        foreach (Candidate candidate in candidates)
        {
            ct.ThrowIfCancellationRequested();
            using Linear4Bit layer = weights.LayerOn(candidate.Kernel);
            specification.Check(candidate, layer);
        }

        var read = new List<double>();
        Action? measure = !measuresBandwidth ? null : () =>
        {
            Quiet.TryAwait(s_quietLimit);
            read.Add(bandwidth());
            Quiet.TryAwait(s_quietLimit);
        };
        IReadOnlyList<RaceResult> results = Race.Run(weights, candidates, rowCounts, time * 0.8, measure, ct);
        double median = read.Count == 0 ? 0 : Spread.Of(read).Median;
        RaceResult best = results.Where(static result => result.Rounds >= Race.MinRounds).MinBy(static result => result.Ratio)!;
        if (best.Ratio > WorthIt)
        {
            return new RowsChoice(TuningEntry.Default, 0, results, median);
        }

        Candidate[] finalists = [candidates[0], candidates.Single(candidate => candidate.Id == best.Id)];
        double again = Race.Run(weights, finalists, rowCounts, time * 0.2, betweenRounds: null, ct)[1].Ratio;
        return again > WorthIt
            ? new RowsChoice(TuningEntry.Default, 0, results, median)
            : new RowsChoice(best.Id, 1 - again, results, median);
    }
}
