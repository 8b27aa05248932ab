using System.Globalization;
using Q4Gen.Benchmarks.Machine;
using Spectre.Console;

namespace Q4Gen.Benchmarks.Compare;

/// <summary>Prints a comparison: tables on a terminal, aligned text elsewhere.</summary>
internal sealed class CompareReport(MachineDescription machine)
{
    private static readonly string[] s_columns =
        ["M", "engine", "µs", "min", "quartiles", "GB/s", "GFLOP/s", "% limit", .. EngineKind.Peers.Select(peer => $"× {ShortName(peer)}"), "rel. error"];

    /// <summary>What is measured on.</summary>
    public MachineDescription Machine => machine;

    /// <summary>Says what is under way, where somebody watches.</summary>
    public static void Progress(string text)
    {
        if (!Console.IsErrorRedirected)
        {
            Console.Error.WriteLine($"… {text}");
        }
    }

    /// <summary>Prints the machine and how to read the tables.</summary>
    public void PrintMachine()
    {
        Console.WriteLine($"{machine.Processor}, {machine.Processors} processors, {string.Join(", ", machine.InstructionSets)}");
        Console.WriteLine($"{machine.OperatingSystem}, {machine.Runtime}");
        Console.WriteLine("GB/s counts nibbles and F16 scales; % limit is against plain reading or the peak of");
        Console.WriteLine($"{machine.FloatPeak} (float) or {machine.Int8Peak} (int8), whichever takes longer;");
        Console.WriteLine("× a peer is its time over this one's.");
    }

    /// <summary>Prints what a call costs beside computing.</summary>
    public void PrintEmptyCalls(int threads, IReadOnlyDictionary<string, double> seconds)
    {
        Line($"A call that computes next to nothing, {Plots.Threads(threads)}:");
        Console.WriteLine($"  {string.Join(", ", seconds.Select(static s => Text($"{s.Key} {s.Value * 1e6:F1} µs")))}");
    }

    /// <summary>Prints the figures of one shape and number of threads.</summary>
    public void Print(ShapeResult result)
    {
        Console.WriteLine();
        Line($"{result.Shape}, {Plots.Threads(result.Threads)}, {result.Copies} copies of the weights{(result.IsCold ? "" : ", which caches may hold")}");
        foreach ((string engine, string description) in result.Descriptions)
        {
            Line($"  {engine,-18}{description}");
        }

        Line($"  limits            read {result.Limits.ReadBandwidth / 1e9:F1} GB/s, float {result.Limits.FloatPeak / 1e9:F0} GFLOP/s, int8 {result.Limits.Int8Peak / 1e9:F0} GFLOP/s");
        PrintTable([.. result.Rows.Select(row => Cells(row, result.Rows))]);
        if (result.UnpackSeconds is { } unpack)
        {
            foreach (Measurement row in result.Rows.Where(static row => row.Rows == 1 && row.Engine == EngineKind.All[0]))
            {
                Line($"  ForwardUnpack of one row takes {unpack * 1e6:F0} µs, {unpack / row.Seconds.Median:F0} times as long as {row.Engine.Name}.");
            }
        }
    }

    private static string[] Cells(Measurement row, IReadOnlyList<Measurement> all) =>
    [
        Text($"{row.Rows}"),
        row.Engine.Name,
        Microseconds(row.Seconds.Median),
        Microseconds(row.Seconds.Min),
        Text($"{row.Seconds.LowerQuartile * 1e6:F0}–{row.Seconds.UpperQuartile * 1e6:F0}"),
        Text($"{row.BytesPerSecond / 1e9:F1}"),
        Text($"{row.OperationsPerSecond / 1e9:F1}"),
        Text($"{row.ShareOfLimit * 100:F0}"),
        .. EngineKind.Peers.Select(peer =>
            Text($"{all.Single(other => other.Engine == peer && other.Rows == row.Rows).Seconds.Median / row.Seconds.Median:F2}")),
        Text($"{row.RelativeError:0.0e0}"),
    ];

    private static void PrintTable(IReadOnlyList<string[]> rows)
    {
        if (!Console.IsOutputRedirected)
        {
            var table = new Table { Border = TableBorder.Rounded };
            foreach (string column in s_columns)
            {
                table.AddColumn(new TableColumn(Markup.Escape(column))
                {
                    NoWrap = true,
                    Alignment = column == "engine" ? Justify.Left : Justify.Right,
                    Padding = new Padding(0, 0, 1, 0), // All columns within 120 characters.
                });
            }

            for (int i = 0; i < rows.Count; i++)
            {
                if (i > 0 && rows[i][0] != rows[i - 1][0])
                {
                    table.AddEmptyRow();
                }

                table.AddRow([.. rows[i].Select(Markup.Escape)]);
            }

            AnsiConsole.Write(table);
            return;
        }

        int[] widths = [.. s_columns.Select((column, i) => rows.Select(row => row[i].Length).Append(column.Length).Max())];
        foreach (string[] row in rows.Prepend(s_columns))
        {
            Console.WriteLine("  " + string.Join("  ", row.Select((cell, i) => s_columns[i] == "engine" ? cell.PadRight(widths[i]) : cell.PadLeft(widths[i]))));
        }
    }

    /// <summary>With a decimal where it says something.</summary>
    private static string Microseconds(double seconds) => seconds < 1e-3 ? Text($"{seconds * 1e6:F1}") : Text($"{seconds * 1e6:F0}");

    private static string ShortName(EngineKind peer) => peer.Name.Replace("onnxruntime-", "ORT ", StringComparison.Ordinal);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static void Line(FormattableString text) => Console.WriteLine(Text(text));
}
