using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Xml.Linq;
using Q4Gen.Benchmarks.Compare;

namespace Q4Gen.Tests.Benchmarks;

/// <summary>A tiny comparison in a process of its own, as a user runs it.</summary>
public sealed class CompareCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("q4gen-compare").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task ATinyRunPrintsAndWritesAllFigures()
    {
        string json = Path.Combine(_folder, "figures.json");
        string plot = Path.Combine(_folder, "roofline.svg");
        (int exitCode, string output) = await RunAsync("compare", "--shapes", "128x64g32", "--rows", "1,3", "--threads", "1", "--json", json, "--plot", plot);
        Assert.True(exitCode == 0, output);
        Assert.Contains("128→64 g32, 1 thread,", output);
        Assert.Contains("(generic)", output);
        Assert.All(output.Split('\n'), static line => Assert.InRange(line.Length, 0, 120));
        Assert.Equal([json, plot], Directory.EnumerateFiles(_folder).Order());

        using var document = JsonDocument.Parse(await File.ReadAllTextAsync(json, TestContext.Current.CancellationToken));
        JsonElement root = document.RootElement;
        Assert.Equal(["machine", "limits", "rows"], root.EnumerateObject().Select(static property => property.Name));
        JsonElement limits = Assert.Single(root.GetProperty("limits").EnumerateArray());
        Assert.Equal(["threads", "read_gbps", "float_gflops", "int8_gflops"], limits.EnumerateObject().Select(static property => property.Name));
        Assert.All(limits.EnumerateObject(), static limit => Assert.True(limit.Value.GetDouble() > 0, limit.Name));

        JsonElement[] rows = [.. root.GetProperty("rows").EnumerateArray()];
        Assert.Equal(2 * EngineKind.All.Count, rows.Length);
        Assert.Equal(EngineKind.All.Select(static kind => kind.Name), rows.Take(EngineKind.All.Count).Select(static row => row.GetProperty("engine").GetString()));
        Assert.All(rows, static row =>
        {
            Assert.Equal(
                ["engine", "in", "out", "group", "m", "threads", "us_median", "us_min", "gbps", "gflops", "pct_of_limit", "rel_error"],
                row.EnumerateObject().Select(static property => property.Name));
            Assert.Equal((128, 64, 32, 1), (Int(row, "in"), Int(row, "out"), Int(row, "group"), Int(row, "threads")));
            double seconds = row.GetProperty("us_median").GetDouble() / 1e6;
            Assert.InRange(row.GetProperty("us_min").GetDouble(), 0.01, seconds * 1e6);
            Assert.Equal(2.0 * Int(row, "m") * 128 * 64 / seconds / 1e9, row.GetProperty("gflops").GetDouble(), 1e-6);
            Assert.Equal((64 * 64 + 2 * 64 * 4) / seconds / 1e9, row.GetProperty("gbps").GetDouble(), 1e-6);
            Assert.True(row.GetProperty("pct_of_limit").GetDouble() > 0);
            Assert.InRange(row.GetProperty("rel_error").GetDouble(), 0, 2e-2);
        });
        Assert.Equal("svg", XDocument.Load(plot).Root!.Name.LocalName);
        Assert.All(EngineKind.All, kind => Assert.Contains(kind.Name, File.ReadAllText(plot)));

        static int Int(JsonElement row, string name) => row.GetProperty(name).GetInt32();
    }

    [Fact]
    public async Task ABadOptionEndsTheProgramWithOneError()
    {
        (int exitCode, string output) = await RunAsync("compare", "--shapes", "128x64g24");
        Assert.Equal(1, exitCode);
        Assert.Equal(
            "'128x64g24' has groups of 24, but ONNX Runtime computes fast with 16, 32, 64, 128 and 256 only; choose one of them.", output.Trim());
    }

    private static async Task<(int ExitCode, string Output)> RunAsync(params string[] arguments)
    {
        string root = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));
        string host = Path.Combine(root, OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet");
        var start = new ProcessStartInfo(host, ["exec", typeof(CompareCommand).Assembly.Location, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        Task<string> output = process.StandardOutput.ReadToEndAsync(cancellation);
        Task<string> error = process.StandardError.ReadToEndAsync(cancellation);
        await process.WaitForExitAsync(cancellation);
        return (process.ExitCode, await output + await error);
    }
}
