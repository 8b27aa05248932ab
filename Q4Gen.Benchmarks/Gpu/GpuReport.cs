using System.Globalization;

namespace Q4Gen.Benchmarks.Gpu;

/// <summary>Prints line by line, for a run may be cut short; in the tables of scripts/gpu_peers.py.</summary>
internal static class GpuReport
{
    private const int ShapeWidth = 16;
    private const int KernelWidth = 30;

    /// <summary>Prints what is measured on.</summary>
    public static void PrintMachine(GpuMachine machine) => Console.WriteLine(
        machine.Capability is null
            ? $"{machine.Device}, {machine.Runtime}"
            : $"{machine.Device}, capability {machine.Capability}, CUDA {machine.Cuda ?? "?"}, driver {machine.Driver ?? "?"}, {machine.Runtime}");

    /// <summary>Prints how to read what verification prints.</summary>
    public static void PrintChecksHead()
    {
        Console.WriteLine("Verified against float64: every call runs three times, bit for bit the same, and writes y and nothing else.");
        Console.WriteLine("error: largest |y − y64| / (Σ|w·x| + |b|); rel. error: in the L2 norm, of all rows");
        Console.WriteLine();
        Console.WriteLine(Row("shape".PadRight(ShapeWidth), "kernel".PadRight(KernelWidth), "x      ", "y      ", "M".PadRight(9), "  error", "rel. error", "     "));
        Console.WriteLine(Row(new('-', ShapeWidth), new('-', KernelWidth), "-------", "-------", new('-', 9), "------:", "---------:", "-----"));
    }

    /// <summary>
    /// Prints what came of one layer: a line for each kernel and element types, one for what is not finite in all of them,
    /// and the first failure of each line.
    /// </summary>
    public static void PrintChecks(IReadOnlyList<GpuCheck> checks)
    {
        var lines = checks.GroupBy(static check => check.Case.IsNonFinite
            ? (check.Shape, "NaN and ∞ in x", "either", "either")
            : (check.Shape, check.Kernel, GpuCase.Name(check.Case.X), GpuCase.Name(check.Case.Y))).ToArray();
        foreach (var alike in lines)
        {
            (Linear4BitShape shape, string kernel, string x, string y) = alike.Key;
            int[] rows = [.. alike.Select(static check => check.Case.Rows).Distinct().Order()];
            Console.WriteLine(Row(
                shape.ToString().PadRight(ShapeWidth),
                kernel.PadRight(KernelWidth),
                x.PadRight(7),
                y.PadRight(7),
                (rows.Length == 1 ? Text($"{rows[0]}") : Text($"{rows[0]} – {rows[^1]}")).PadRight(9),
                Figure(alike.Max(static check => check.Error)).PadLeft(7),
                Figure(alike.Max(static check => check.RelativeError)).PadLeft(10),
                alike.All(static check => check.Failure is null) ? "right" : "WRONG"));
        }

        foreach (GpuCheck failed in lines.Select(static alike => alike.FirstOrDefault(static check => check.Failure is not null)).OfType<GpuCheck>())
        {
            Console.Error.WriteLine($"{failed}.");
        }
    }

    /// <summary>Prints how to read the figures.</summary>
    public static void PrintTimesHead(double copyBytesPerSecond, GpuLaunchCost launch)
    {
        Console.WriteLine();
        Line($"copy on the device: {copyBytesPerSecond / 1e9:F0} GB/s read and written, so {copyBytesPerSecond / 2e9:F0} GB/s read beside as much written ({GpuCopy.Bytes >> 30} GiB, median of {GpuCopy.Copies})");
        Line($"a call takes the host {launch.UsPerForward:F2} µs until it is queued, and allocates {launch.BytesPerForward:0.##} bytes (M = 1)");
        Console.WriteLine("us: median of 50 calls, events around each; us graph: a captured pass over all copies, by their number");
        Console.WriteLine("GB/s: bytes of packed weights and scales, by us; so % of copy and TFLOP/s; float16 in and out");
        Console.WriteLine();
        Console.WriteLine(Row("shape".PadRight(ShapeWidth), "kernel ", "   M", "       us", "   us min", " us graph", "   GB/s", "% of copy", "TFLOP/s", "rel. error"));
        Console.WriteLine(Row(new('-', ShapeWidth), "-------", "---:", "--------:", "--------:", "--------:", "------:", "--------:", "------:", "---------:"));
    }

    /// <summary>Prints the figures of one shape and number of rows.</summary>
    public static void Print(GpuMeasurement row) => Console.WriteLine(Row(
        row.Shape.ToString().PadRight(ShapeWidth),
        row.Kernel.PadRight(7),
        Text($"{row.Rows,4}"),
        Text($"{row.UsMedian,9:F2}"),
        Text($"{row.UsMin,9:F2}"),
        (row.UsGraph is { } graph ? Text($"{graph:F2}") : "-").PadLeft(9),
        Text($"{row.BytesPerSecond / 1e9,7:F1}"),
        Text($"{row.ShareOfCopy * 100,9:F1}"),
        Text($"{row.OperationsPerSecond / 1e12,7:F2}"),
        Text($"{row.RelativeError,10:0.0e0}")));

    private static string Figure(double? error) => error is { } value ? Text($"{value:0.0e0}") : "-";

    private static string Row(params ReadOnlySpan<string> cells) => $"| {string.Join(" | ", cells)} |";

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static void Line(FormattableString text) => Console.WriteLine(Text(text));
}
