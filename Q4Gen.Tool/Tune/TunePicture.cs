using System.Globalization;
using ScottPlot;

namespace Q4Gen.Tool.Tune;

/// <summary>Draws what the choices for one layer rest on: the time of each variant as a part of the default's.</summary>
internal static class TunePicture
{
    private const int Width = 900, RowHeight = 26, Frame = 130;

    /// <summary>More bars say nothing new.</summary>
    private const int BestShown = 8;

    private static readonly Color s_chosen = Color.FromHex("#d1495b"), s_default = Color.FromHex("#2f6690"), s_other = Color.FromHex("#b8c4cc");

    /// <summary>An SVG for the choices of one layer on one machine.</summary>
    public static string Draw(IReadOnlyList<ChoiceTimings> choices)
    {
        // From the top down: one row of x first, and the best variant of it.
        (ChoiceTimings Choice, VariantTimings Variant)[] bars =
        [
            .. choices.OrderBy(static choice => choice.Rows switch { "one" => 0, "few" => 1, _ => 2 }).SelectMany(static choice => Shown(choice).Select(variant => (choice, variant))),
        ];
        using var plot = new Plot();
        plot.Font.Set(Fonts.Sans);
        plot.Title(string.Create(CultureInfo.InvariantCulture, $"{choices[0].Layer} in {choices[0].Isa}, {choices[0].Machine} ({choices[0].Processor})"), size: 15);
        plot.XLabel("time as a part of the default's", size: 13);
        Bar[] drawn = [.. bars.Select((bar, i) => new Bar
        {
            Position = bars.Length - 1 - i,
            Value = bar.Variant.Ratio,
            Orientation = Orientation.Horizontal,
            Size = 0.7,
            LineWidth = 0,
            FillColor = bar.Variant.Variant == bar.Choice.Variant ? s_chosen : bar.Variant.Variant == "default" ? s_default : s_other,
            Label = Times(bar.Variant),
        })];
        plot.Add.Bars(drawn).ValueLabelStyle.FontSize = 10;
        plot.Axes.Left.TickGenerator = new ScottPlot.TickGenerators.NumericManual(
            [.. bars.Select((_, i) => (double)(bars.Length - 1 - i))], [.. bars.Select(static bar => $"{bar.Choice.Rows}: {bar.Variant.Variant}")]);
        plot.Axes.Left.MajorTickStyle.Length = 0;
        plot.Axes.Left.TickLabelStyle.FontSize = 11;
        plot.HideGrid();
        plot.Axes.SetLimits(0, 1.6 * bars.Max(static bar => bar.Variant.Ratio), -1, bars.Length);
        return plot.GetSvgXml(Width, Frame + RowHeight * bars.Length);
    }

    /// <summary>The best, the chosen one and the default.</summary>
    private static IEnumerable<VariantTimings> Shown(ChoiceTimings choice) => choice.Variants
        .OrderBy(static variant => variant.Ratio)
        .Where((variant, i) => i < BestShown || variant.Variant == choice.Variant || variant.Variant == "default");

    /// <summary>At the fewest and the most rows; the file of timings has all.</summary>
    private static string Times(VariantTimings variant) => string.Join(
        ", ",
        variant.Microseconds.Where((_, i) => i == 0 || i == variant.Microseconds.Count - 1)
            .Select(static item => string.Create(CultureInfo.InvariantCulture, $"{item.Value:G4} µs at {item.Key}")));
}
