using System.Globalization;
using System.Xml.Linq;

namespace Q4Gen.Tool.Tune;

/// <summary>
/// Draws what the choices for one layer rest on: the time of each variant as a part of the default's. As SVG written out,
/// because a library that draws would bring native code for every platform into a tool that has none.
/// </summary>
internal static class TunePicture
{
    private const int Width = 960, RowHeight = 24, Top = 56, Bottom = 40, LabelEnd = 330, BarHeight = 16;

    /// <summary>Pixels of the default's bar.</summary>
    private const int DefaultBar = 260;

    /// <summary>A bar ends here, however slow a variant is; its label says how slow.</summary>
    private const int LongestBar = 440;

    /// <summary>More bars say nothing new.</summary>
    private const int BestShown = 8;

    private const string Chosen = "#d1495b", Usual = "#2f6690", Other = "#b8c4cc", Ink = "#222222";

    private static readonly XNamespace s_svg = "http://www.w3.org/2000/svg";

    /// <summary>An SVG for the choices of one layer on one machine.</summary>
    public static string Draw(IReadOnlyList<ChoiceTimings> choices)
    {
        // From the top down: one row of x first, and the best variant of it.
        (ChoiceTimings Choice, VariantTimings Variant)[] bars =
        [
            .. choices.OrderBy(static choice => choice.Rows switch { "one" => 0, "few" => 1, _ => 2 }).SelectMany(static choice => Shown(choice).Select(variant => (choice, variant))),
        ];
        int bottom = Top + bars.Length * RowHeight, height = bottom + Bottom;
        var picture = new XElement(
            s_svg + "svg",
            new XAttribute("width", Width), new XAttribute("height", height), new XAttribute("viewBox", $"0 0 {Width} {height}"),
            new XAttribute("font-family", "sans-serif"), new XAttribute("font-size", 12), new XAttribute("fill", Ink),
            new XElement(s_svg + "rect", new XAttribute("width", Width), new XAttribute("height", height), new XAttribute("fill", "white")),
            Text(20, 28, "start", $"{choices[0].Layer} in {choices[0].Isa}, {choices[0].Machine} ({choices[0].Processor})", 15),
            bars.Select((bar, i) => Bar(bar.Choice, bar.Variant, Top + i * RowHeight)),
            Line(LabelEnd, Top - 8, bottom),
            Line(LabelEnd + DefaultBar, Top - 8, bottom),
            Text(LabelEnd, bottom + 20, "middle", "0"),
            Text(LabelEnd + DefaultBar, bottom + 20, "middle", "time of the default"));
        return new XDocument(picture).ToString() + "\n";
    }

    /// <summary>The best, the chosen one and the default.</summary>
    private static IEnumerable<VariantTimings> Shown(ChoiceTimings choice) => choice.Variants
        .OrderBy(static variant => variant.Ratio)
        .Where((variant, i) => i < BestShown || variant.Variant == choice.Variant || variant.Variant == "default");

    private static XElement[] Bar(ChoiceTimings choice, VariantTimings variant, int top)
    {
        int length = (int)Math.Min(Math.Round(DefaultBar * variant.Ratio), LongestBar), baseline = top + BarHeight - 4;
        return
        [
            Text(LabelEnd - 8, baseline, "end", $"{choice.Rows}: {variant.Variant}"),
            new XElement(
                s_svg + "rect",
                new XAttribute("x", LabelEnd), new XAttribute("y", top), new XAttribute("width", length), new XAttribute("height", BarHeight),
                new XAttribute("fill", variant.Variant == choice.Variant ? Chosen : variant.Variant == "default" ? Usual : Other)),
            Text(LabelEnd + length + 6, baseline, "start", string.Create(CultureInfo.InvariantCulture, $"{variant.Ratio:F2}, {Times(variant)}"), 11),
        ];
    }

    /// <summary>At the fewest and the most rows; the file of timings has all.</summary>
    private static string Times(VariantTimings variant) => string.Join(
        ", ",
        variant.Microseconds.Where((_, i) => i == 0 || i == variant.Microseconds.Count - 1)
            .Select(static item => string.Create(CultureInfo.InvariantCulture, $"{item.Value:G4} µs at {item.Key}")));

    private static XElement Text(int x, int y, string anchor, string text, int size = 12) => new(
        s_svg + "text", new XAttribute("x", x), new XAttribute("y", y), new XAttribute("text-anchor", anchor), new XAttribute("font-size", size), text);

    private static XElement Line(int x, int top, int bottom) => new(
        s_svg + "line",
        new XAttribute("x1", x), new XAttribute("x2", x), new XAttribute("y1", top), new XAttribute("y2", bottom), new XAttribute("stroke", Ink), new XAttribute("stroke-width", 0.5));
}
