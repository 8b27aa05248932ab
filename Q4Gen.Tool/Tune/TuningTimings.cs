using System.Globalization;
using System.Text.Json;

namespace Q4Gen.Tool.Tune;

/// <summary>The times behind a tuning file, for people; builds do not read them.</summary>
/// <param name="Choices">One for each entry of the tuning file that was measured.</param>
internal sealed record TuningTimings(IReadOnlyList<ChoiceTimings> Choices)
{
    private static readonly JsonSerializerOptions s_json = new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    /// <summary>No times.</summary>
    public static TuningTimings Empty { get; } = new([]);

    /// <summary>Reads a file; one that is not there, or no such file, is empty: it only loses pictures.</summary>
    public static TuningTimings Read(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<TuningTimings>(File.ReadAllText(path), s_json) is { Choices: not null } timings ? timings : Empty;
        }
        catch (Exception e) when (e is JsonException or FileNotFoundException or DirectoryNotFoundException)
        {
            return Empty;
        }
    }

    /// <summary>These, with others in place of those for the same entries.</summary>
    public TuningTimings With(IEnumerable<ChoiceTimings> others)
    {
        ChoiceTimings[] added = [.. others];
        return new(
        [
            .. Choices.Where(choice => !added.Any(choice.IsSameEntry)).Concat(added)
                .OrderBy(static choice => choice.Machine, StringComparer.Ordinal).ThenBy(static choice => choice.Layer, StringComparer.Ordinal)
                .ThenBy(static choice => choice.Isa, StringComparer.Ordinal).ThenBy(static choice => choice.Rows, StringComparer.Ordinal),
        ]);
    }

    /// <inheritdoc/>
    public override string ToString() => JsonSerializer.Serialize(this, s_json) + "\n";
}

/// <summary>What one choice rests on.</summary>
/// <param name="Machine">The machine's id.</param>
/// <param name="Processor">What the machine calls its processor.</param>
/// <param name="Layer">The layer.</param>
/// <param name="Isa">The instruction set.</param>
/// <param name="Rows">Which rows: one, few or many.</param>
/// <param name="Variant">What was chosen.</param>
/// <param name="GainPercent">How much less time that takes than the default.</param>
/// <param name="ReadGBps">What memory gave to plain reading meanwhile, in 10⁹ bytes a second; 0 where it was not measured.</param>
/// <param name="Variants">All that were timed.</param>
internal sealed record ChoiceTimings(
    string Machine, string Processor, string Layer, string Isa, string Rows, string Variant, double GainPercent, double ReadGBps, IReadOnlyList<VariantTimings> Variants)
{
    /// <summary>The times of a choice.</summary>
    public static ChoiceTimings Of(string machine, string processor, string layer, string isa, string rows, RowsChoice choice) => new(
        machine, processor, layer, isa, rows, choice.Variant, Math.Round(100 * choice.Gain, 1), Math.Round(choice.Bandwidth / 1e9, 1),
        [.. choice.Results.Select(VariantTimings.Of)]);

    /// <summary>Whether both are about the same entry.</summary>
    public bool IsSameEntry(ChoiceTimings other) => (Machine, Layer, Isa, Rows) == (other.Machine, other.Layer, other.Isa, other.Rows);
}

/// <summary>The times of one variant.</summary>
/// <param name="Variant">Its id.</param>
/// <param name="Ratio">Its time as a part of the default's; several numbers of rows by their geometric mean.</param>
/// <param name="Rounds">Rounds that it was in.</param>
/// <param name="SpreadPercent">Between the quartiles of its times, of their median.</param>
/// <param name="Microseconds">A call's median by the number of rows.</param>
internal sealed record VariantTimings(string Variant, double Ratio, int Rounds, double SpreadPercent, IReadOnlyDictionary<string, double> Microseconds)
{
    /// <summary>Those of a result of a race.</summary>
    public static VariantTimings Of(RaceResult result) => new(
        result.Id, Math.Round(result.Ratio, 3), result.Rounds, Math.Round(100 * result.Spread, 1),
        result.Seconds.ToDictionary(static item => item.Key.ToString(CultureInfo.InvariantCulture), static item => Math.Round(item.Value * 1e6, 2)));
}
