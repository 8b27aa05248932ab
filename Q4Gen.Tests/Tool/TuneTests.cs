using System.Diagnostics;
using System.Text.Json;
using System.Xml.Linq;
using Q4Gen.Generator.Model;
using Q4Gen.Generator.Planning;
using Q4Gen.Kernels;
using Q4Gen.Testing;
using Q4Gen.Tests.Kernels;
using Q4Gen.Tests.Tuning;
using Q4Gen.Tool.Console;
using Q4Gen.Tool.Tune;

namespace Q4Gen.Tests.Tool;

/// <summary><c>q4gen tune</c>: what it writes, what it measures again, and what it refuses.</summary>
[Trait(Emulated.Trait, Emulated.Never)] // Compiles kernels while it runs.
public sealed class TuneTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("q4gen-tune-test").FullName;

    private string TuningFile => Path.Combine(_folder, "q4gen.tuning.json");

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>One small layer, tuned in earnest: the file is what a build takes without a complaint, and nothing is measured twice.</summary>
    [Fact]
    public async Task WhatItWritesABuildTakes()
    {
        ToolRun first = await ToolRun.Of("tune", "--layers", "64x48_g32", "--time-budget", "1", "-o", TuningFile);
        Assert.True(first.ExitCode == ExitCode.Success, first.Error);
        Assert.Contains("choices measured, 0 known already", first.Output, StringComparison.Ordinal);
        string text = await File.ReadAllTextAsync(TuningFile, Ct);

        HarnessResult result = GeneratorHarness.Run(
            "[Q4Gen.Linear4Bit(In = 64, Out = 48, Group = 32)] public partial class Up;",
            TunedGenerationTests.With(text, ("Q4GenTuning", "Require"), ("Q4GenTargets", BestIsa()))).EnsureCompiles();
        Assert.Empty(await result.AnalyzeAsync(Ct));

        using JsonDocument timings = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(_folder, "q4gen.tuning", "timings.json"), Ct));
        JsonElement[] choices = [.. timings.RootElement.GetProperty("choices").EnumerateArray()];
        Assert.Equal(["few", "many", "one"], choices.Select(static choice => choice.GetProperty("rows").GetString()).Order());
        Assert.All(choices, static choice =>
        {
            JsonElement[] variants = [.. choice.GetProperty("variants").EnumerateArray()];
            JsonElement usual = variants.First(static variant => variant.GetProperty("variant").GetString() == "default");
            Assert.InRange(usual.GetProperty("rounds").GetInt32(), 15, 60);
            Assert.Equal(1, usual.GetProperty("ratio").GetDouble());
            Assert.InRange(choice.GetProperty("gainPercent").GetDouble(), 0, 99);
            Assert.Contains(variants, variant => variant.GetProperty("variant").GetString() == choice.GetProperty("variant").GetString());
        });

        ToolRun second = await ToolRun.Of("tune", "--layers", "64x48_g32", "--time-budget", "1", "-o", TuningFile, "--json");
        using JsonDocument report = JsonDocument.Parse(second.Output);
        Assert.Equal((0, 3), (report.RootElement.GetProperty("choices").GetArrayLength(), report.RootElement.GetProperty("known").GetInt32()));
        Assert.Equal(text, await File.ReadAllTextAsync(TuningFile, Ct));
    }

    /// <summary>On a machine where there is no .NET: nothing of this one's is in reach of the program.</summary>
    [Fact]
    public async Task AMeasuringProgramNeedsNothingAndItsFileIsMerged()
    {
        string program = Path.Combine(_folder, "measure"), there = Directory.CreateDirectory(Path.Combine(_folder, "there")).FullName;
        ToolRun published = await ToolRun.Of("tune", "--layers", "64x48_g32", "--publish", program);
        Assert.True(published.ExitCode == ExitCode.Success, published.Error);
        Assert.Contains("run q4gen-tune there", published.Output, StringComparison.Ordinal);

        var start = new ProcessStartInfo(Path.Combine(program, "q4gen-tune"), ["--time-budget", "1"]) { WorkingDirectory = there, RedirectStandardOutput = true };
        start.Environment["DOTNET_ROOT"] = start.Environment["PATH"] = there;
        using (Process process = Process.Start(start)!)
        {
            string output = await process.StandardOutput.ReadToEndAsync(Ct);
            await process.WaitForExitAsync(Ct);
            Assert.True(process.ExitCode == 0, output);
        }

        ToolRun merged = await ToolRun.Of("tune", "--layers", "64x48_g32", "-o", TuningFile, "--merge", Path.Combine(there, "q4gen.tuning.json"));
        Assert.True(merged.ExitCode == ExitCode.Success, merged.Error);
        Assert.Equal(await File.ReadAllTextAsync(Path.Combine(there, "q4gen.tuning.json"), Ct), await File.ReadAllTextAsync(TuningFile, Ct));

        ToolRun full = await ToolRun.Of("tune", "--layers", "64x48_g32", "--publish", program);
        Assert.Equal(ExitCode.Usage, full.ExitCode);
        Assert.Contains("has something in it; name an empty folder", full.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task FilesOfOtherMachinesAreMerged()
    {
        string other = Path.Combine(_folder, "there.q4gen.tuning.json");
        await File.WriteAllTextAsync(TuningFile, TuningText.File([TuningText.ThisMachine()], TuningText.Entry("64x48_g32", "avx2", "one", "default")), Ct);
        await File.WriteAllTextAsync(
            other,
            TuningText.File(
                [TuningText.ThisMachine("same"), TuningText.OtherMachine()],
                TuningText.Entry("64x48_g32", "avx2", "one", "fixed-ahead0", "same"),
                TuningText.Entry("64x48_g32", "avx512", "one", "panels8-sums2-ahead0", "elsewhere")),
            Ct);
        ToolRun run = await ToolRun.Of("tune", "--layers", "64x48_g32", "-o", TuningFile, "--merge", other);
        Assert.True(run.ExitCode == ExitCode.Success, run.Error);
        string text = await File.ReadAllTextAsync(TuningFile, Ct);
        Assert.Contains("\"machine\": \"here\", \"rows\": \"one\", \"variant\": \"fixed-ahead0\"", text, StringComparison.Ordinal);
        Assert.Contains("\"machine\": \"elsewhere\", \"rows\": \"one\", \"variant\": \"panels8-sums2-ahead0\"", text, StringComparison.Ordinal);
        Assert.DoesNotContain("\"same\"", text, StringComparison.Ordinal);

        // Sorted, and one thing a line: what changed shows in a diff.
        string[] lines = [.. text.Split('\n').Where(static line => line.StartsWith("    {", StringComparison.Ordinal))];
        Assert.Equal(4, lines.Length);
        Assert.Equal(lines[2..].Order(StringComparer.Ordinal), lines[2..].Order(StringComparer.Ordinal));
    }

    [Fact]
    public void EntriesOfLayersThatAreGoneAreRemovedWithTheirMachines()
    {
        File.WriteAllText(TuningFile, TuningText.File(
            [TuningText.ThisMachine(), TuningText.OtherMachine()],
            TuningText.Entry("64x48_g32", "avx2", "one", "default"), TuningText.Entry("64x40_g32", "avx2", "one", "default", "elsewhere")));
        TuningDocument document = TuningDocument.Read(TuningFile);
        Assert.Equal(1, document.RemoveStale(["64x48_g32"]));
        Assert.Equal(["here"], document.Machines.Select(static machine => machine.Id));
        Assert.DoesNotContain("64x40", document.ToString(), StringComparison.Ordinal);
    }

    /// <summary>The default of a race is itself, and a kernel that is slow on purpose loses.</summary>
    [Fact]
    public void ARaceFindsWhatIsSlower()
    {
        var shape = new Linear4BitShape(512, 256, 32);
        using var weights = new TuneWeights(shape, maxRows: 4, coldBytes: 0);
        Linear4BitKernel fast = new GenericKernelFamily(shape).Best, slow = new GenericKernelFamily(shape).Create(KernelIsa.Scalar)!;
        IReadOnlyList<RaceResult> results = Race.Run(weights, [new Candidate("default", fast), new Candidate("scalar", slow)], [1, 4], TimeSpan.Zero, betweenRounds: null, Ct);
        Assert.Equal(1, results[0].Ratio);
        Assert.InRange(results[1].Ratio, 1.2, 10_000);
        Assert.InRange(results[1].Rounds, 2, Race.MinRounds - 1);
        Assert.Equal([1, 4], results[0].Seconds.Keys);
    }

    /// <summary>A variant that computes something else must never be timed.</summary>
    [Fact]
    public void AWrongKernelIsRefused()
    {
        using var weights = new TuneWeights(new Linear4BitShape(64, 32, 32), LayerTuner.MaxRows, coldBytes: 0);
        using var others = new TuneWeights(new Linear4BitShape(64, 32, 64), LayerTuner.MaxRows, coldBytes: 0);
        var kernel = new Candidate("wrong", new GenericKernelFamily(others.Shape).Best);
        using Linear4Bit wrong = others.LayerOn(kernel.Kernel);
        var exact = new Specification(weights, Linear4BitPrecision.Exact);
        var error = Assert.Throws<InvalidOperationException>(() => exact.Check(kernel, wrong));
        Assert.Matches(@"^The variant wrong of 64→32 g32 in \w+ is wrong: output \d+ of row 0 of 1 is ", error.Message);

        var right = new Candidate("right", new GenericKernelFamily(weights.Shape).Best);
        using Linear4Bit layer = weights.LayerOn(right.Kernel);
        exact.Check(right, layer);
        var int8 = new Candidate("int8", new GenericInt8KernelFamily(weights.Shape).Best);
        using Linear4Bit rounded = weights.LayerOn(int8.Kernel);
        new Specification(weights, Linear4BitPrecision.Int8Activations).Check(int8, rounded);
        Assert.Throws<InvalidOperationException>(() => new Specification(weights, Linear4BitPrecision.Int8Activations).Check(right, layer));
    }

    [Theory]
    [InlineData("'4096' is no layer; write In, Out and Group like 4096x11008_g128", "--layers", "4096")]
    [InlineData("'sse' is no instruction set of Q4Gen's", "--layers", "64x48_g32", "--targets", "sse")]
    [InlineData("--project and --layers both say what to tune; give one.", "--layers", "64x48_g32", "--project", ".")]
    [InlineData("--rid says what machine --publish is for", "--layers", "64x48_g32", "--rid", "linux-x64")]
    [InlineData("--time-budget must be at least 1 second.", "--layers", "64x48_g32", "--time-budget", "0")]
    [InlineData("--threads must be from 1 to 1024", "--layers", "64x48_g32", "--threads", "0")]
    [InlineData("a build knows a tuning file by a name that is q4gen.tuning.json or ends in it", "--layers", "64x48_g32", "-o", "tuning.json")]
    [InlineData("--layers names no layer", "--layers", ";")]
    public async Task WhatCannotBeTuned(string message, params string[] arguments)
    {
        ToolRun run = await ToolRun.Of(["tune", .. arguments]);
        Assert.Equal(ExitCode.Usage, run.ExitCode);
        Assert.Contains(message, run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task FilesAndProjectsThatCannotBeRead()
    {
        await File.WriteAllTextAsync(TuningFile, "{\n  \"schema\": 9\n}", Ct);
        ToolRun schema = await ToolRun.Of("tune", "--layers", "64x48_g32", "-o", TuningFile);
        Assert.Equal(ExitCode.BadFile, schema.ExitCode);
        Assert.StartsWith($"q4gen: {TuningFile}(2,13): The tuning file has schema 9, and this version of Q4Gen reads schema 1", schema.Error, StringComparison.Ordinal);

        ToolRun missing = await ToolRun.Of("tune", "--project", Path.Combine(_folder, "no.csproj"));
        Assert.Equal(ExitCode.InputOutput, missing.ExitCode);
        ToolRun none = await ToolRun.Of("tune", "--project", _folder);
        Assert.Equal(ExitCode.Usage, none.ExitCode);
        Assert.Contains("has 0 project files, but one is needed", none.Error, StringComparison.Ordinal);
        ToolRun merge = await ToolRun.Of("tune", "--layers", "64x48_g32", "-o", Path.Combine(_folder, "other.q4gen.tuning.json"), "--merge", "nowhere.json");
        Assert.Equal(ExitCode.InputOutput, merge.ExitCode);
    }

    [Fact]
    public void LayersOfAProjectAreThoseOfItsKernels()
    {
        LayerShape[] layers = [.. ProjectLayers.LayersOf(typeof(TuneTests).Assembly.Location)];
        Assert.Equal(
            Layers.Shapes.Select(static shape => $"{shape.In}x{shape.Out}_g{shape.Group}").Order(StringComparer.Ordinal),
            layers.Where(static layer => layer.Precision == LayerPrecision.Exact).Select(static layer => layer.LayerName).Intersect(Layers.Shapes.Select(static shape => $"{shape.In}x{shape.Out}_g{shape.Group}")).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void APictureShowsEveryChoice()
    {
        ChoiceTimings Choice(string rows, string variant) => new(
            "here", "A processor", "64x48_g32", "avx2", rows, variant, 5, 20,
            [new VariantTimings("default", 1, 15, 2, new Dictionary<string, double> { ["1"] = 100 }), new VariantTimings("fixed-ahead0", 0.95, 15, 2, new Dictionary<string, double> { ["1"] = 95 })]);
        string svg = TunePicture.Draw([Choice("one", "fixed-ahead0"), Choice("few", "default")]);
        XElement picture = XElement.Parse(svg);
        string[] texts = [.. picture.Descendants().Where(static element => element.Name.LocalName == "text").Select(static element => element.Value)];
        Assert.Contains("one: fixed-ahead0", texts);
        Assert.Contains("few: default", texts);
        Assert.Contains("0.95, 95 µs at 1", texts);

        // Two bars are chosen ones, and one is a default that was not.
        string[] colours = [.. picture.Descendants().Where(static element => element.Name.LocalName == "rect").Select(static element => (string)element.Attribute("fill")!)];
        Assert.Equal((2, 1), (colours.Count(static colour => colour == "#d1495b"), colours.Count(static colour => colour == "#2f6690")));
    }

    private static string BestIsa()
    {
        var shape = new LayerShape(64, 48, 32, LayerPrecision.Exact);
        return IsaNames.NameOf(KernelPlanner.IsasOf(shape).First(static isa => Candidates.IsSupported(LayerPrecision.Exact, isa)));
    }
}
