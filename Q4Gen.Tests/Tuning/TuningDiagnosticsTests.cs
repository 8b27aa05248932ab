using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Q4Gen.Testing;
using Q4Gen.Tests.Kernels;
using static Q4Gen.Tests.Tuning.TuningText;

namespace Q4Gen.Tests.Tuning;

/// <summary>What is wrong with a tuning file is reported at its line, and keeps the file from being used.</summary>
[Trait(Emulated.Trait, Emulated.Never)] // The compiler takes minutes there.
public class TuningDiagnosticsTests
{
    private const string Source = """
        using Q4Gen;
        [Linear4Bit(In = 64, Out = 96, Group = 32)] public partial class Up;
        [Linear4Bit(In = 96, Out = 64, Group = 32, Precision = Linear4BitPrecision.Int8Activations)] public partial class Down;
        [Linear4Bit(In = 24, Out = 16, Group = 12)] public partial class ScalarOnly;
        """;

    private static readonly string s_project = "/src/App/App.csproj";

    private static readonly string[] s_complete =
    [
        Entry("64x96_g32", "avx2", "one", "fixed-ahead2048"),
        Entry("64x96_g32", "avx2", "few", "default"),
        Entry("64x96_g32", "avx2", "many", "default"),
        Entry("96x64_g32_int8", "avx2", "one", "default"),
        Entry("96x64_g32_int8", "avx2", "many", "rows2x2-from8"),
    ];

    [Theory]
    [InlineData("Prefer")]
    [InlineData("Require")]
    public async Task ACompleteFileIsFine(string mode) => Assert.Empty(await AnalyzeAsync(File([ThisMachine()], s_complete), ("Q4GenTuning", mode)));

    /// <summary>Line and column are those of a compiler's message.</summary>
    [Theory]
    [InlineData("", 1, 1, "expected an object, an array, a text in quotes or a whole number here, but the file ends")]
    [InlineData("{\n  \"schema\": 1,\n  \"machines\": [],\n}", 4, 1, "expected a name in quotes here, but there is '}'")]
    [InlineData("{\n  \"schema\": 1.5 }", 2, 13, "expected a whole number of at most nine digits here")]
    [InlineData("{ \"schema\": 1, \"schema\": 1 }", 1, 16, "'schema' stands twice in one object")]
    [InlineData("{ \"schema\": 1, \"machines\": [\n  7 ], \"entries\": [] }", 2, 3, "a machine must be an object in braces")]
    [InlineData("{ \"schema\": 1, \"machines\": [], \"entries\": [] } x", 1, 48, "expected the end of the file here, but there is 'x'")]
    [InlineData("{ \"schema\": 1, \"machines\": [], \"entries\": [], \"notes\": \"\" }", 1, 56, "the file has no 'notes'; it has entries, machines, schema")]
    [InlineData("{ \"schema\": 1, \"machines\": [] }", 1, 1, "the file needs 'entries', an array in brackets")]
    [InlineData("{ \"schema\": \"1\" }", 1, 13, "'schema' must be a whole number")]
    [InlineData("{ \"schema\": 1, \"machines\": \"tab\tinside\" }", 1, 32, "expected a closing quote here, but the line ends")]
    [InlineData("[[[[[[[[[[[[[[[[[[[[", 1, 17, "expected an object, an array, a text in quotes or a whole number here, but there is '['")]
    [InlineData("\"\\q\"", 1, 3, "expected one of the escapes of JSON behind a backslash here, but there is 'q'")]
    public async Task WhatIsNoTuningFile(string text, int line, int column, string message) =>
        AssertAt(Assert.Single(await AnalyzeAsync(text)), "Q4G0024", line, column, $"The tuning file cannot be read: {message}; correct it, or have 'q4gen tune' write it anew");

    [Theory]
    [InlineData("{ \"schema\": 2, \"whatever\": [] }", 1, 13, "schema 2")]
    [InlineData("{ \"machines\": [],\n \"schema\": -3 }", 2, 12, "schema -3")]
    public async Task ASchemaOfAnotherVersion(string text, int line, int column, string message) =>
        AssertAt(Assert.Single(await AnalyzeAsync(text)), "Q4G0025", line, column, message);

    [Fact]
    public async Task MachinesThatCannotBe()
    {
        await AssertMalformed([Machine("Zen3", "A", 1, 1, 1, "linux-x64")], "the id 'Zen3' goes into names of kernels");
        await AssertMalformed([Machine("zen", "A", 1, 1, 0, "linux-x64")], "the machine 'zen' needs a family and a model that are not negative, and at least one thread");
        await AssertMalformed([OtherMachine("a"), OtherMachine("b")], "the machines 'a' and 'b' are the same kind; write one");
        await AssertMalformed([ThisMachine("a"), OtherMachine("a")], "there are two machines 'a'");

        static async Task AssertMalformed(string[] machines, string message)
        {
            Diagnostic found = Assert.Single(await AnalyzeAsync(File(machines)));
            Assert.Equal("Q4G0024", found.Id);
            Assert.Contains(message, found.GetMessage(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task EntriesThatContradictEachOther()
    {
        string first = Entry("64x96_g32", "avx2", "one", "default");
        await AssertMalformed(first, Entry("64x96_g32", "avx2", "one", "fixed-ahead0"), 8, "there are two entries for one rows of '64x96_g32' in avx2 on 'here'");
        await AssertMalformed(first, Entry("64x96_g32", "avx2", "one", "default", "nowhere"), 8, "the machine 'nowhere' is none of the file's machines");
        await AssertMalformed(first, Entry("64x96_g32", "avx2", "several", "default"), 8, "rows is 'several'; write 'one', 'few' or 'many'");

        static async Task AssertMalformed(string first, string second, int line, string message)
        {
            Diagnostic found = Assert.Single(await AnalyzeAsync(File([ThisMachine()], first, second)));
            Assert.Equal("Q4G0024", found.Id);
            Assert.Equal(line, found.Location.GetLineSpan().StartLinePosition.Line + 1);
            Assert.Contains(message, found.GetMessage(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task AnEntryForALayerThatIsNotThere()
    {
        string file = File([ThisMachine()], [.. s_complete, Entry("64x98_g32", "avx2", "one", "default")]);
        Diagnostic found = Assert.Single(await AnalyzeAsync(file));
        AssertAt(found, "Q4G0026", 12, 5, "No layer of this project is a '64x98_g32', so this entry has no effect");
        Assert.Equal(DiagnosticSeverity.Warning, found.Severity);
    }

    [Theory]
    [InlineData("64-96", "avx2", "one", "default", "'64-96' is no layer; layers are written like 4096x11008_g128")]
    [InlineData("64x96_g32_avx2", "avx2", "one", "default", "'64x96_g32_avx2' is no layer")]
    [InlineData("64x96_g32", "avx3", "one", "default", "'64x96_g32' has no kernels in 'avx3', but in avx512, avx2, vector128")]
    [InlineData("64x96_g32", "avxvnni", "one", "default", "'64x96_g32' has no kernels in 'avxvnni'")]
    [InlineData("64x96_g32", "avx2", "one", "panels3-sums1-ahead0", "'panels3-sums1-ahead0' is no variant for one rows in avx2; one is 'panels1-sums2-ahead0'")]
    [InlineData("64x96_g32", "avx2", "many", "fixed-ahead0", "'fixed-ahead0' is no variant for many rows")]
    [InlineData("96x64_g32_int8", "avx2", "few", "default", "kernels with 8-bit activations have no choice for 'few' rows, but for 'one' and 'many'")]
    [InlineData("24x16_g12", "avx2", "one", "default", "'24x16_g12' has no vector kernels, and so nothing to tune")]
    public async Task AnEntryForAKernelThatDoesNotExist(string layer, string isa, string rows, string variant, string message) =>
        AssertAt(Assert.Single(await AnalyzeAsync(File([ThisMachine()], Entry(layer, isa, rows, variant)))), "Q4G0027", 7, 5, message);

    [Fact]
    public async Task RequireWantsEveryLayerOfEveryMachine()
    {
        ImmutableArray<Diagnostic> none = await AnalyzeAsync(null, ("Q4GenTuning", "Require"));
        Assert.StartsWith($"{s_project}(1,1): error Q4G0028: Q4GenTuning is Require, but the project has no tuning file", Assert.Single(none).ToString(), StringComparison.Ordinal);

        AssertAt(
            Assert.Single(await AnalyzeAsync(File([ThisMachine()], s_complete[..^1]), ("Q4GenTuning", "Require"))),
            "Q4G0028", 4, 5, "there is no entry of 'here' for many rows of '96x64_g32_int8' in avx2");
        ImmutableArray<Diagnostic> other = await AnalyzeAsync(File([ThisMachine(), OtherMachine()], s_complete), ("Q4GenTuning", "Require"));
        Assert.Equal(2, other.Length);
        Assert.All(other, static found => Assert.Equal(4, found.Location.GetLineSpan().StartLinePosition.Line));
        Assert.Contains("no entry of 'elsewhere' for '64x96_g32' in avx512 or avx2 or vector128", other[0].GetMessage(), StringComparison.Ordinal);

        // An instruction set that is not emitted needs no entry, and a file without machines says nothing.
        Assert.Empty(await AnalyzeAsync(File([ThisMachine()], s_complete), ("Q4GenTuning", "Require"), ("Q4GenTargets", "avx2")));
        Assert.Contains("the tuning file has no machine", Assert.Single(await AnalyzeAsync(File([]), ("Q4GenTuning", "Require"))).GetMessage(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("sm_80")]
    [InlineData(" sm_90; sm_80 ")]
    public async Task KnownGpusAreNoError(string value) => Assert.Empty(await AnalyzeAsync(null, ("Q4GenPtx", value)));

    [Fact]
    public async Task OffReadsNoFile() => Assert.Empty(await AnalyzeAsync("not JSON", ("Q4GenTuning", "Off")));

    [Theory]
    [InlineData("Q4GenTuning", "prefer", "Q4G0022", "The MSBuild property Q4GenTuning is 'prefer'; write '<Q4GenTuning>Off</Q4GenTuning>'")]
    [InlineData("Q4GenTuning", "On", "Q4G0022", "The MSBuild property Q4GenTuning is 'On'")]
    [InlineData("Q4GenTargets", "avx2;sse4", "Q4G0023", "names 'sse4', which is no instruction set of Q4Gen's; write some of avx2, avx512, avxvnni, dp, vector128")]
    [InlineData("Q4GenTargets", "scalar", "Q4G0023", "names 'scalar'")]
    [InlineData("Q4GenPtx", "sm_80;sm_75", "Q4G0029", "names 'sm_75', for which Q4Gen compiles no kernels; write some of sm_80, sm_86, sm_87, sm_89, sm_90, sm_100, sm_120")]
    [InlineData("Q4GenPtx", "90", "Q4G0029", "names '90'")]
    public async Task AnUnknownPropertyIsAnErrorAtTheProjectFile(string property, string value, string id, string message)
    {
        Diagnostic found = Assert.Single(await AnalyzeAsync(null, (property, value)));
        Assert.StartsWith($"{s_project}(1,1): error {id}: ", found.ToString(), StringComparison.Ordinal);
        Assert.Contains(message, found.GetMessage(), StringComparison.Ordinal);
    }

    [Fact]
    public void AFileThatCannotBeReadChangesNothing()
    {
        string file = File([ThisMachine()], s_complete);
        Assert.Equal(GeneratorHarness.Run(Source).Files, GeneratorHarness.Run(Source, TunedGenerationTests.With(file[..^3])).Files);
    }

    private static async Task<ImmutableArray<Diagnostic>> AnalyzeAsync(string? file, params (string Name, string Value)[] properties)
    {
        HarnessResult result = GeneratorHarness.Run(Source, TunedGenerationTests.With(file, [.. properties, ("MSBuildProjectFullPath", s_project)]));
        return [.. (await result.AnalyzeAsync(TestContext.Current.CancellationToken)).Where(static d => d.Id != "Q4G0006")];
    }

    private static void AssertAt(Diagnostic found, string id, int line, int column, string message)
    {
        FileLinePositionSpan span = found.Location.GetLineSpan();
        Assert.Equal((id, FileName, line, column), (found.Id, span.Path, span.StartLinePosition.Line + 1, span.StartLinePosition.Character + 1));
        Assert.Contains(message, found.GetMessage(), StringComparison.Ordinal);
    }
}
