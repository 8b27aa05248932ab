using System.Globalization;
using Q4Gen.Tool.Console;
using Spectre.Console;

namespace Q4Gen.Tool.Tune;

/// <summary>Prints what tuning found.</summary>
internal static class TuneReport
{
    /// <summary>More than a quiet machine shows.</summary>
    private const double MaxSpreadPercent = 20;

    /// <summary>A table of the choices.</summary>
    public static void Write(IAnsiConsole console, IReadOnlyList<ChoiceTimings> choices, int known, int stale, string file)
    {
        if (choices.Count > 0)
        {
            Table table = Tables.Create("layer", "isa", "rows", "variant").RightAligned("gain", "at", "default µs", "chosen µs", "GB/s", "read GB/s");
            foreach (ChoiceTimings choice in choices)
            {
                // A number of rows to show, for the few and the many; all of them are in the file of timings.
                string rows = choice.Rows switch { "one" => "1", "few" => "4", _ => "64" };
                VariantTimings usual = Find(choice, "default"), chosen = Find(choice, choice.Variant);
                table.Row(
                    choice.Layer, choice.Isa, choice.Rows, choice.Variant,
                    choice.GainPercent == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"{choice.GainPercent:F1} %"),
                    rows, Time(usual, rows), Time(chosen, rows), Rate(choice, chosen),
                    choice.ReadGBps == 0 ? "" : choice.ReadGBps.ToString("F1", CultureInfo.InvariantCulture));
            }

            console.Write(table);
            double busiest = choices.Max(static choice => Find(choice, "default").SpreadPercent);
            if (busiest > MaxSpreadPercent)
            {
                console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture, $"Times of one kernel vary by {busiest:F0} % between quartiles: something else runs here, and these choices may be luck. Measure again with --again when nothing does."));
            }

            console.WriteLine("Medians; the gain is that of a second race between the two, over all numbers of rows that the timings file has.");
        }

        console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{file}: {choices.Count} choices measured, {known} known already{(stale == 0 ? "" : $", {stale} of layers that are gone removed")}."));
    }

    private static VariantTimings Find(ChoiceTimings choice, string variant) => choice.Variants.First(other => other.Variant == variant);

    private static string Time(VariantTimings variant, string rows) =>
        variant.Microseconds.TryGetValue(rows, out double time) ? time.ToString(time < 100 ? "F1" : "F0", CultureInfo.InvariantCulture) : "";

    /// <summary>Of one row, whose weights come from memory: nibbles and scales a second.</summary>
    private static string Rate(ChoiceTimings choice, VariantTimings chosen) =>
        choice.Rows == "one" && Generator.Model.LayerShape.Find(choice.Layer) is { } shape && chosen.Microseconds.TryGetValue("1", out double time)
            ? (BytesOf(new Linear4BitShape(shape.In, shape.Out, shape.Group)) / time / 1e3).ToString("F1", CultureInfo.InvariantCulture)
            : "";

    private static long BytesOf(Linear4BitShape shape) => shape.WeightBytes + sizeof(short) * (long)shape.ScaleCount;
}
