using System.Globalization;
using Q4Gen.Import;
using Q4Gen.Tool.Console;
using Spectre.Console;

namespace Q4Gen.Tool.Inspect;

/// <summary>An <see cref="InspectReport"/> for people.</summary>
internal static class InspectTables
{
    private const int LongestFact = 80;
    private const int ChartWidth = 72;

    public static void Write(IAnsiConsole console, InspectReport report, bool all)
    {
        long in4Bits = report.Layers.Sum(layer => layer.BytesIn4Bits);
        console.WriteLine($"{report.Path}: {report.Format}, {report.Tensors.Count} tensors, {Sizes.Of(report.Bytes)}");
        WriteFacts(console, report.Metadata);
        WriteTensors(console, report.Tensors, all);
        WriteLayers(console, report.Layers, all);
        console.WriteLine(report.Layers.Count == 0
            ? "No linear layers."
            : $"{report.Layers.Count} linear layers, {Sizes.Of(in4Bits)} in 4 bits with their scales.");
        if (report.Scales is { } scales)
        {
            WriteScales(console, scales);
        }
    }

    private static void WriteFacts(IAnsiConsole console, IReadOnlyDictionary<string, string> facts)
    {
        foreach ((string key, string value) in facts.OrderBy(fact => fact.Key, StringComparer.Ordinal))
        {
            string line = Tables.Printable(value.ReplaceLineEndings(" "));
            console.WriteLine($"  {Tables.Printable(key)} = {(line.Length > LongestFact ? line[..LongestFact] + "…" : line)}");
        }
    }

    private static void WriteTensors(IAnsiConsole console, IReadOnlyList<FileTensor> tensors, bool all)
    {
        Table table = Tables.Create("tensor", "type", "shape").RightAligned("size", "count");
        foreach ((string name, FileTensor tensor, int count) in Rows(tensors, tensor => tensor.Name, tensor => $"{tensor.Type} {Shape(tensor.Shape)}", all))
        {
            table.Row(name, tensor.Type, Shape(tensor.Shape), Sizes.Of(tensor.ByteLength * count), count.ToString(CultureInfo.InvariantCulture));
        }

        console.Write(table);
    }

    private static void WriteLayers(IAnsiConsole console, IReadOnlyList<InspectedLayer> layers, bool all)
    {
        if (layers.Count == 0)
        {
            return;
        }

        Table table = Tables.Create("linear layer", "now", "attribute").RightAligned("in 4 bits", "count");
        foreach ((string name, InspectedLayer layer, int count) in Rows(layers, layer => layer.Name, layer => $"{layer.Format}{layer.InputOrder}{layer.Attribute}", all))
        {
            table.Row(name, layer.InputOrder ? layer.Format + ", input order" : layer.Format, layer.Attribute, Sizes.Of(layer.BytesIn4Bits * count), count.ToString(CultureInfo.InvariantCulture));
        }

        console.Write(table);
    }

    private static void WriteScales(IAnsiConsole console, InspectedScales scales)
    {
        string share = (scales.Negative / (double)scales.Total).ToString("P0", CultureInfo.InvariantCulture);
        console.WriteLine($"{scales.Total} scales, {share} negative, {scales.Zero} zero{(scales.NotFinite == 0 ? "" : $", {scales.NotFinite} infinite or no number")}; by size, from 2^n to below 2^(n+1):");
        BarChart chart = new BarChart().Width(ChartWidth);
        foreach (ScaleBin bin in scales.Bins)
        {
            chart.AddItem($"2^{bin.Exponent}", bin.Count, Color.Teal);
        }

        console.Write(chart);
    }

    private static IReadOnlyList<(string Name, T Item, int Count)> Rows<T>(IReadOnlyList<T> items, Func<T, string> nameOf, Func<T, string> detailsOf, bool all) =>
        all ? [.. items.Select(item => (nameOf(item), item, 1))] : NamePattern.Group(items, nameOf, detailsOf);

    private static string Shape(IReadOnlyList<long> shape) => $"[{string.Join(", ", shape)}]";
}
