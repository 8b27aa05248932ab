using System.Text.Json;
using Q4Gen.Import;
using Q4Gen.Tests.Kernels;
using Q4Gen.Tests.Runtime;
using Q4Gen.Tool.Bench;
using Q4Gen.Tool.Console;
using static Q4Gen.Tests.Tool.ScaffoldedModel;

namespace Q4Gen.Tests.Tool;

/// <summary>Times of a model's layers: what is measured, added up and printed. The figures themselves mean nothing here.</summary>
[Trait(Emulated.Trait, Emulated.Never)] // The compiler takes minutes there, and nothing here depends on the processor.
public class BenchTests
{
    private static readonly BenchOptions s_short = new(Threads: 2)
    {
        Duration = TimeSpan.Zero, MinRounds = 2, MaxRounds = 3, ColdBytes = 1 << 20,
    };

    private static readonly LinearLayer[] s_layers =
    [
        Layer("layers.0.q", 64, 64), Layer("layers.1.q", 64, 64), Layer("layers.0.k", 64, 16, bias: true), Layer("layers.1.k", 64, 16, bias: true),
        Layer("layers.0.experts.0.up", 64, 96, affine: true), Layer("layers.1.experts.0.up", 64, 96, affine: true), Layer("head", 64, 64, group: 128) with { HasInputOrder = true },
    ];

    private static readonly Lazy<BenchReport> s_report = new(() => Measure(s_layers));

    [Fact]
    public void LayersOfOneKindAreTimedOnce()
    {
        BenchReport report = s_report.Value;
        Assert.Equal(
            [(64, 16, 32, true, false, 2), (64, 64, 32, false, false, 2), (64, 64, 64, false, false, 1), (64, 96, 32, false, true, 2)],
            report.Shapes.Select(static shape => (shape.In, shape.Out, shape.Group, shape.Bias, shape.Affine, shape.Layers)).Order());
        Assert.All(report.Shapes, static shape =>
        {
            Assert.StartsWith($"Linear4Bit_{shape.In}x{shape.Out}_g{shape.Group}_", shape.Exact.Kernel, StringComparison.Ordinal);
            Assert.StartsWith($"Linear4Bit_{shape.In}x{shape.Out}_g{shape.Group}_int8_", shape.Int8.Kernel, StringComparison.Ordinal);
        });
        Assert.Equal(64 * 32 + 2 * 64 * 2, report.Shapes.First(static shape => shape is { Out: 64, Group: 32 }).Bytes);
        Assert.Equal(64 * 48 + 2 * 2 * 96 * 2, report.Shapes.First(static shape => shape.Affine).Bytes);
        Assert.Equal(64 * 8 + 2 * 16 * 2 + 4 * 16, report.Shapes.First(static shape => shape.Bias).Bytes);
    }

    [Fact]
    public void FiguresAreSaneAndAddUp()
    {
        BenchReport report = s_report.Value;
        Assert.InRange(report.BandwidthGigabytesPerSecond, 0.01, 100_000);
        Assert.InRange(report.Rounds, 2, 3);
        Assert.Equal(2, report.Threads);
        Assert.All(report.Shapes.SelectMany(static shape => (BenchTime[])[shape.Exact, shape.Int8]), time =>
        {
            Assert.InRange(time.Microseconds, 0.01, 1e7);
            Assert.Equal(time.GigabytesPerSecond / report.BandwidthGigabytesPerSecond, time.ShareOfBandwidth, 9);
        });
        Assert.Equal(7, report.Token.Layers);
        Assert.Equal(report.Shapes.Sum(static shape => shape.Layers * shape.Bytes), report.Token.Bytes);
        Assert.Equal(report.Shapes.Sum(static shape => shape.Layers * shape.Exact.Microseconds), report.Token.Exact.Microseconds, 6);
        Assert.Equal(1e6 / report.Token.Int8.Microseconds, report.Token.Int8.TokensPerSecond, 6);
        Assert.Equal(report.Token.Bytes / report.BandwidthGigabytesPerSecond / 1000, report.Token.LeastMicroseconds, 6);
        Assert.True(report.Token.HasExperts);
    }

    [Fact]
    public void TheTableSaysWhatItIs()
    {
        var text = new StringWriter();
        BenchTables.Write(ToolConsole.To(text, TextWriter.Null).Results, s_report.Value);
        foreach (string part in (string[])["some.file: 7 linear layers", "64→64 g32", "64→16 g32 bias", "64→96 g32 affine", "GB/s", "tokens/s", "what memory allows", "Linear layers only", "Every expert counts once"])
        {
            Assert.Contains(part, text.ToString(), StringComparison.Ordinal);
        }

        Assert.DoesNotContain("NaN", text.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void TheReportIsJson()
    {
        var text = new StringWriter();
        ToolConsole.To(text, TextWriter.Null).WriteJson(s_report.Value);
        using var json = JsonDocument.Parse(text.ToString());
        JsonElement root = json.RootElement;
        Assert.Equal(4, root.GetProperty("shapes").GetArrayLength());
        JsonElement shape = root.GetProperty("shapes")[0];
        Assert.Equal(64, shape.GetProperty("in").GetInt32());
        Assert.True(shape.GetProperty("exact").GetProperty("microseconds").GetDouble() > 0);
        Assert.True(root.GetProperty("token").GetProperty("int8").GetProperty("tokensPerSecond").GetDouble() > 0);
        Assert.True(root.GetProperty("bandwidthGigabytesPerSecond").GetDouble() > 0);
    }

    [Fact]
    public void TheNumberOfThreadsIsAsItWas()
    {
        int before = Linear4BitThreads.Count;
        _ = s_report.Value;
        Assert.Equal(before, Linear4BitThreads.Count);
    }

    [Fact]
    public void WhatCannotBeMeasuredIsAnErrorThatSaysSo()
    {
        Assert.Contains("some.file: there are no linear layers in it", Assert.Throws<WeightFormatException>(() => Measure([])).Message, StringComparison.Ordinal);
        Assert.Contains("layer 'q' is 33→4 g32", Assert.Throws<WeightFormatException>(() => Measure([Layer("q", 33, 4)])).Message, StringComparison.Ordinal);
        Assert.Throws<OperationCanceledException>(() => BenchRun.Measure([Layer("q", 32, 4)], "f", s_short, Nobody.Instance, new CancellationToken(true)));
    }

    [Fact]
    public void CachesHaveASize() => Assert.InRange(LastLevelCache.Bytes, 1 << 16, 1L << 40);

    private static BenchReport Measure(LinearLayer[] layers) =>
        BenchRun.Measure(layers, "some.file", s_short, Nobody.Instance, TestContext.Current.CancellationToken);

    private sealed class Nobody : IProgress<double>
    {
        public static readonly Nobody Instance = new();

        public void Report(double value) => Assert.InRange(value, 0, 1);
    }
}
