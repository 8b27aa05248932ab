using System.CommandLine;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using Q4Gen.Benchmarks.Gpu;
using Q4Gen.Gpu;

namespace Q4Gen.Tests.Benchmarks;

/// <summary>The command for GPUs, as far as it runs without one: options, verification, and timing on the emulated GPU.</summary>
public sealed class GpuCommandTests : IDisposable
{
    private static readonly Linear4BitShape s_shape = new(20, 24, 16);

    private readonly string _folder = Directory.CreateTempSubdirectory("q4gen-gpu").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("--shapes 4096x11008", "'4096x11008' is no shape", "4096x11008x128")]
    [InlineData("--shapes 4096x11008x128,x", "'x' is no shape", "INxOUTxGROUP")]
    [InlineData("--shapes 4096x99999999999x128", "'4096x99999999999x128' is no shape", "INxOUTxGROUP")]
    [InlineData("--shapes 4096x4096x128", "'4096x4096x128' is not compiled into this program", "choose among 4096x11008x128")]
    [InlineData("--m 1,0", "--m has '0'", "from 1 to 65536")]
    [InlineData("--m 1,,4", "--m has ''", "from 1 to 65536")]
    [InlineData("--device -1", "--device is '-1'", "from 0 on")]
    [InlineData("--device all", "--device is 'all'", "from 0 on")]
    [InlineData("--json figures.txt", "--json is 'figures.txt'", "must end in .json")]
    public void BadOptionsAreOneClearError(string arguments, string found, string remedy)
    {
        var root = new RootCommand();
        root.Subcommands.Add(GpuCommand.Create());
        string message = Assert.Single(root.Parse(["gpu", .. arguments.Split(' ')]).Errors).Message;
        Assert.Contains(found, message);
        Assert.Contains(remedy, message);
    }

    /// <summary>Wherever there is a device, it is hidden.</summary>
    [Fact]
    public async Task WithoutADeviceItEndsWithOneSentence()
    {
        (int exitCode, string output, string error) = await RunAsync(hideDevices: true, "gpu", "--quick");
        Assert.Equal(2, exitCode);
        Assert.Empty(output);
        Assert.StartsWith("There is no CUDA device", error);
        Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public async Task TheEmulatedGpuIsVerifiedFromEndToEnd()
    {
        string json = Path.Combine(_folder, "figures.json");
        (int exitCode, string output, string error) = await RunAsync(hideDevices: false, "gpu", "--emulated", "--json", json);
        Assert.True(exitCode == 0, output + error);
        Assert.Empty(error);
        Assert.DoesNotContain("WRONG", output);
        Assert.Contains(", 0 wrong", output);
        Assert.All(output.Split('\n'), static line => Assert.InRange(line.Length, 0, 120));

        using var document = JsonDocument.Parse(await File.ReadAllTextAsync(json, TestContext.Current.CancellationToken));
        Assert.Equal(
            ["machine", "copy_gbps", "launch", "rows", "checks"], document.RootElement.EnumerateObject().Select(static property => property.Name));
        JsonElement[] checks = [.. document.RootElement.GetProperty("checks").EnumerateArray()];
        Assert.All(checks, static check =>
        {
            Assert.Equal(JsonValueKind.Null, check.GetProperty("failure").ValueKind);
            if (!check.GetProperty("is_non_finite").GetBoolean())
            {
                Assert.InRange(check.GetProperty("rel_error").GetDouble(), 1e-9, check.GetProperty("y").GetString() == "float16" ? 1e-3 : 1e-6);
            }
        });
        foreach (string kernel in (string[])["Gemv", "Rows4", "generic", "generic, unaligned"])
        {
            // In both element types of both.
            Assert.Equal(4, checks.Where(check => check.GetProperty("kernel").GetString() == kernel && check.GetProperty("in").GetInt32() == 20)
                .Select(static check => (check.GetProperty("x").GetString(), check.GetProperty("y").GetString())).Distinct().Count());
        }

        foreach (string kernel in (string[])["Gemv, both", "Rows4, both", "unpacked, both"])
        {
            Assert.Contains(checks, check => check.GetProperty("kernel").GetString() == kernel);
        }

        // Two layers, and one of them with offsets and an input order.
        Assert.Equal((2 + 1) * 4, checks.Count(static check => check.GetProperty("is_non_finite").GetBoolean()));
    }

    /// <summary>One nibble off by one, of an output that is checked.</summary>
    [Fact]
    public void AWrongLayerIsFound()
    {
        using GpuContext gpu = GpuContext.CreateEmulated();
        using GpuStream stream = gpu.CreateStream();
        var plan = new GpuVerificationPlan(Forward: [1, 5], Direct: [1], Shifted: [5], NonFinite: [1]);
        var work = new GpuWorkload(s_shape, plan.MaxRows);
        var wrong = new GpuWorkload(s_shape, plan.MaxRows);
        wrong.Weights[7 * s_shape.In / 2 + 3] ^= 1;
        using Linear4Bit layer = wrong.CreateLayer().To(gpu);
        GpuCheck[] checks = [.. new GpuVerification(stream, work, layer).Run(plan)];
        GpuCheck[] compared = [.. checks.Where(static check => !check.Case.IsNonFinite)];
        Assert.All(compared, static check => Assert.Matches(@"^y\[0, 7\] is .*, but float64 gives .*Σ", check.Failure));
        Assert.All(compared, static check => Assert.InRange(check.Error!.Value, 1e-4, 1));
        Assert.StartsWith("20→24 g16, Gemv, float16 → float16, M = 1: y[0, 7]", compared[0].ToString());

        // It computes something else, but passes on what is no number.
        Assert.All(checks.Except(compared), static check => Assert.Null(check.Failure));
    }

    [Fact]
    public void WhatIsWrittenOutsideOrNotWrittenInsideIsFound()
    {
        using GpuContext gpu = GpuContext.CreateEmulated();
        foreach (GpuElement element in (GpuElement[])[GpuElement.Float16, GpuElement.Float32])
        {
            using var y = new GuardedTensor(gpu.DefaultStream, element, rows: 3, columns: 5, shift: 1, GuardedTensor.Unwritten);
            Assert.Equal("it leaves y[0, 0] unwritten", y.DescribeDamage(y.Download()));
            if (element == GpuElement.Float16)
            {
                y.Matrix.Upload(new Half[15]);
            }
            else
            {
                y.Matrix.Upload(new float[15]);
            }

            byte[] whole = y.Download();
            Assert.Null(y.DescribeDamage(whole));
            Assert.Equal(15 * (element == GpuElement.Float16 ? 2 : 4), y.MatrixOf(whole).Length);
            int size = y.MatrixOf(whole).Length / 15;
            int first = (64 + 1) * size, end = first + 15 * size;

            byte[] before = [.. whole], behind = [.. whole], inside = [.. whole];
            before[first - 3] = 0;
            Assert.Equal("it writes 3 bytes before y", y.DescribeDamage(before));
            behind[end + 1] = 0;
            Assert.Equal("it writes 2 bytes behind the end of y", y.DescribeDamage(behind));
            inside.AsSpan(first + 7 * size, size).Fill(GuardedTensor.Unwritten);
            Assert.Equal("it leaves y[1, 2] unwritten", y.DescribeDamage(inside));
        }
    }

    /// <summary>Times of the emulated GPU say nothing, but all that leads to them runs.</summary>
    [Fact]
    public void TimingRunsOnTheEmulatedGpu()
    {
        using GpuContext gpu = GpuContext.CreateEmulated();
        using GpuStream stream = gpu.CreateStream();
        using var timer = new GpuTimer(stream);
        double copy = GpuCopy.BytesPerSecond(timer, bytes: 4096, warmUps: 1);
        Assert.True(copy > 0);
        using var timing = new GpuTiming(new GpuWorkload(s_shape, rows: 3), timer, coldBytes: 4000);
        Assert.Equal(8, timing.Copies.Count);
        var launch = GpuLaunchCost.Measure(stream, timing.Copies[0], batches: 2, callsPerBatch: 3);
        Assert.True(launch.UsPerForward > 0);
        GpuMeasurement[] rows = [timing.Measure(1, copy), timing.Measure(3, copy)];
        Assert.Equal(["Gemv", "Rows4"], rows.Select(static row => row.Kernel));
        Assert.All(rows, row =>
        {
            Assert.InRange(row.RelativeError, 1e-6, 1e-3);
            Assert.InRange(row.UsMin, 0.01, row.UsMedian);
            Assert.Null(row.UsGraph);
            Assert.Equal((2 * 3 * 64 + 2 * 16 * 2 * 2) / row.UsMedian / 1e3, row.BytesPerSecond / 1e9, 1e-6);
            Assert.Equal(row.BytesPerSecond / copy, row.ShareOfCopy, 1e-9);
            Assert.Equal(2.0 * row.Rows * 20 * 24 / row.UsMedian / 1e6, row.OperationsPerSecond / 1e12, 1e-9);
        });

        string json = Path.Combine(_folder, "figures.json");
        GpuJson.Write(json, GpuMachine.Of(gpu, null), [], copy, launch, rows);
        using var document = JsonDocument.Parse(File.ReadAllText(json));
        Assert.Equal(copy / 1e9, document.RootElement.GetProperty("copy_gbps").GetDouble(), 1e-9);
        Assert.Equal(
            ["us_per_forward", "bytes_per_forward"], document.RootElement.GetProperty("launch").EnumerateObject().Select(static property => property.Name));
        JsonElement[] written = [.. document.RootElement.GetProperty("rows").EnumerateArray()];
        Assert.Equal([1, 3], written.Select(static row => row.GetProperty("m").GetInt32()));
        Assert.Equal(
            ["engine", "in", "out", "group", "m", "kernel", "us_median", "us_min", "us_graph", "gbps", "pct_of_copy", "tflops", "rel_error"],
            written[0].EnumerateObject().Select(static property => property.Name));
        Assert.Equal("q4gen-gpu", written[0].GetProperty("engine").GetString());
    }

    [Theory]
    [InlineData("550.54.15\n", "550.54.15")]
    [InlineData("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\nGCC version:  gcc version 12.2.0\n", "535.104.05")]
    [InlineData("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86  Release Build\n", "570.86")]
    [InlineData("", null)]
    public void TheDriversVersionIsRead(string text, string? version) => Assert.Equal(version, GpuMachine.DriverVersionIn(text));

    private static async Task<(int ExitCode, string Output, string Error)> RunAsync(bool hideDevices, params string[] arguments)
    {
        string root = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));
        string host = Path.Combine(root, OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet");
        var start = new ProcessStartInfo(host, ["exec", typeof(GpuCommand).Assembly.Location, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        if (hideDevices)
        {
            start.Environment["CUDA_VISIBLE_DEVICES"] = "-1";
        }

        using Process process = Process.Start(start)!;
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        Task<string> output = process.StandardOutput.ReadToEndAsync(cancellation);
        Task<string> error = process.StandardError.ReadToEndAsync(cancellation);
        await process.WaitForExitAsync(cancellation);
        return (process.ExitCode, await output, await error);
    }
}
