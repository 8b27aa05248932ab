using System.Text.Json;
using System.Text.Json.Serialization;
using Q4Gen.Benchmarks.Compare;

namespace Q4Gen.Benchmarks.Gpu;

/// <summary>All figures as JSON, whose rows are those of scripts/gpu_peers.py and more.</summary>
internal static class GpuJson
{
    private const string Engine = "q4gen-gpu";

    private static readonly JsonSerializerOptions s_options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        WriteIndented = true,
    };

    /// <summary>Writes what there is so far.</summary>
    public static void Write(
        string path, GpuMachine machine, IReadOnlyList<GpuCheck> checks, double? copyBytesPerSecond, GpuLaunchCost? launch, IReadOnlyList<GpuMeasurement> rows)
    {
        var document = new Document(
            machine,
            copyBytesPerSecond / 1e9,
            launch,
            [.. rows.Select(static row => new Row(
                Engine, row.Shape.In, row.Shape.Out, row.Shape.Group, row.Rows, row.Kernel, row.UsMedian, row.UsMin, row.UsGraph,
                row.BytesPerSecond / 1e9, row.ShareOfCopy * 100, row.OperationsPerSecond / 1e12, row.RelativeError))],
            [.. checks.Select(static check => new Check(
                check.Shape.In, check.Shape.Out, check.Shape.Group, check.Case.Rows, check.Kernel, GpuCase.Name(check.Case.X), GpuCase.Name(check.Case.Y),
                check.Case.IsNonFinite, check.Error, check.RelativeError, check.Failure))]);
        OutputFiles.Write(path, JsonSerializer.SerializeToUtf8Bytes(document, s_options));
    }

    private sealed record Document(GpuMachine Machine, double? CopyGbps, GpuLaunchCost? Launch, Row[] Rows, Check[] Checks);

    private sealed record Row(
        string Engine, int In, int Out, int Group, int M, string Kernel,
        double UsMedian, double UsMin, double? UsGraph, double Gbps, double PctOfCopy, double Tflops, double RelError);

    private sealed record Check(
        int In, int Out, int Group, int M, string Kernel, string X, string Y, bool IsNonFinite, double? Error, double? RelError, string? Failure);
}
