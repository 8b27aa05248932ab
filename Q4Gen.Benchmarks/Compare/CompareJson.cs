using System.Text.Json;
using Q4Gen.Benchmarks.Machine;

namespace Q4Gen.Benchmarks.Compare;

/// <summary>The figures of a comparison as JSON: the machine, its limits for each number of threads, and a row a measurement.</summary>
internal static class CompareJson
{
    private static readonly JsonSerializerOptions s_options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
    };

    /// <summary>UTF-8 text.</summary>
    public static byte[] Write(MachineDescription machine, IReadOnlyList<ShapeResult> results)
    {
        IEnumerable<LimitsOfThreads> limits =
            from result in results
            group result.Limits by result.Threads into threads
            let median = MachineLimits.Median([.. threads])
            select new LimitsOfThreads(threads.Key, median.ReadBandwidth / 1e9, median.FloatPeak / 1e9, median.Int8Peak / 1e9);
        IEnumerable<Row> rows =
            from result in results
            from row in result.Rows
            select new Row(
                row.Engine.Name, row.Shape.In, row.Shape.Out, row.Shape.Group, row.Rows, row.Threads,
                row.Seconds.Median * 1e6, row.Seconds.Min * 1e6, row.BytesPerSecond / 1e9, row.OperationsPerSecond / 1e9,
                row.ShareOfLimit * 100, row.RelativeError);
        return JsonSerializer.SerializeToUtf8Bytes(new Document(machine, [.. limits], [.. rows]), s_options);
    }

    private sealed record Document(MachineDescription Machine, LimitsOfThreads[] Limits, Row[] Rows);

    private sealed record LimitsOfThreads(int Threads, double ReadGbps, double FloatGflops, double Int8Gflops);

    private sealed record Row(
        string Engine, int In, int Out, int Group, int M, int Threads,
        double UsMedian, double UsMin, double Gbps, double Gflops, double PctOfLimit, double RelError);
}
