using System.Globalization;
using Q4Gen.Tool.Console;
using Spectre.Console;

namespace Q4Gen.Tool.Bench;

/// <summary>A report for people to read.</summary>
internal static class BenchTables
{
    /// <summary>Prints it.</summary>
    public static void Write(IAnsiConsole console, BenchReport report)
    {
        console.WriteLine(Text($"{report.File}: {report.Token.Layers} linear layers, {Sizes.Of(report.Token.Bytes)} of weights and scales"));
        console.WriteLine(Text($"{report.Processor}, {string.Join(", ", report.InstructionSets)}; {report.Threads} threads read {report.BandwidthGigabytesPerSecond:F1} GB/s from memory"));
        console.Write(Layers(report));
        console.Write(Token(report.Token));
        console.WriteLine(Text($"Medians of {report.Rounds} rounds, one token at a time. Linear layers only: attention, norms and sampling take their own time."));
        if (report.Token.HasExperts)
        {
            console.WriteLine("Every expert counts once here; a token passes only some of them and is as much faster.");
        }

        if (!report.IsCold)
        {
            console.WriteLine("The layers are so small that caches keep their weights, which makes them faster than memory.");
        }
    }

    private static Table Layers(BenchReport report)
    {
        Table table = Tables.Create("shape", "kernel").RightAligned("layers", "µs", "GB/s", "of memory");
        foreach (BenchShape shape in report.Shapes)
        {
            string extras = (shape.Affine ? " affine" : "") + (shape.Bias ? " bias" : "") + (shape.InputOrder ? " act-order" : "");
            Row(Text($"{shape.In}→{shape.Out} g{shape.Group}{extras}"), Text($"{shape.Layers}"), shape.Exact);
            Row("", "", shape.Int8);
        }

        return table;

        void Row(string name, string layers, BenchTime time) => table.Row(
            name, time.Kernel, layers, Text($"{time.Microseconds:F1}"), Text($"{time.GigabytesPerSecond:F1}"), Text($"{time.ShareOfBandwidth * 100:F0} %"));
    }

    private static Table Token(BenchToken token)
    {
        Table table = Tables.Create("a token").RightAligned("ms", "tokens/s", "of memory");
        Row("activations in float32", token.Exact);
        Row("activations in 8 bits", token.Int8);
        table.Row("what memory allows", Text($"{token.LeastMicroseconds / 1000:F2}"), Text($"{token.LimitPerSecond:F1}"), "");
        return table;

        void Row(string name, BenchTotal total) => table.Row(
            name, Text($"{total.Microseconds / 1000:F2}"), Text($"{total.TokensPerSecond:F1}"), Text($"{total.ShareOfBandwidth * 100:F0} %"));
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
