using Q4Gen.Testing;
using Q4Gen.Tests.Kernels;

namespace Q4Gen.Tests.Testing;

/// <summary>Kernels under review in a user's repository, from source and from a compiled program.</summary>
[Trait(Emulated.Trait, Emulated.Never)] // The compiler takes minutes there, and nothing here depends on the processor.
public class KernelSnapshotsTests
{
    private const string Source = """
        using Q4Gen;
        namespace Demo;
        public partial class Mlp
        {
            [Linear4Bit(In = 24, Out = 20, Group = 8)] public partial Linear4Bit Up { get; }
            [Linear4Bit(In = 20, Out = 24, Group = 20, Precision = Linear4BitPrecision.Int8Activations)] public partial Linear4Bit Down { get; }
        }
        """;

    /// <summary>Only the summary is kept here; SnapshotTests has the files.</summary>
    [Fact]
    public void TheSummarySaysWhatWasChosen()
    {
        HarnessResult result = GeneratorHarness.Run(Source, Gpu.CompiledGpuKernels.WithGpu(HarnessOptions.Default));
        KeyValuePair<string, string>[] kernels = [.. result.Files.Where(static f => f.Key.StartsWith("Linear4Bit_", StringComparison.Ordinal))];
        Snapshots.Verify(
            [new("Q4Gen.kernels.txt", KernelSummary.Describe(kernels))], "../Snapshots", variant: null, nameof(TheSummarySaysWhatWasChosen), SourceFile());
    }

    [Fact]
    public void ACompiledProgramGivesTheFilesOfItsSource()
    {
        HarnessResult source = GeneratorHarness.Run(Source);
        using LoadedProgram program = source.Load();
        HarnessResult again = KernelSnapshots.Generate(program.Assembly);
        Assert.Equal(Kernels(source), Kernels(again));
        Assert.Equal(5 + 7, Kernels(again).Count);
    }

    [Fact]
    public void AProgramWithoutKernelsIsAnError()
    {
        var exception = Assert.Throws<ArgumentException>(() => KernelSnapshots.Generate(typeof(Linear4BitShape).Assembly));
        Assert.Contains("Q4Gen.Runtime has no kernels; annotate layers with [Linear4Bit]", exception.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => KernelOracle.CheckAll(typeof(Linear4BitShape).Assembly));
    }

    [Fact]
    public void KernelsOfAnotherVersionAreAnError()
    {
        HarnessResult source = GeneratorHarness.Run(Source);
        using LoadedProgram program = GeneratorHarness.Load(Kernels(source).ToDictionary(
            static file => file.Key, static file => file.Value.Replace("\"Q4Gen\", \"0.1\"", "\"Q4Gen\", \"0.0\"", StringComparison.Ordinal)));
        Assert.Contains(
            "were written by Q4Gen 0.0, and this is Q4Gen.Testing 0.1", Assert.Throws<ArgumentException>(() => KernelSnapshots.Generate(program.Assembly)).Message, StringComparison.Ordinal);
    }

    private static SortedDictionary<string, string> Kernels(HarnessResult result) => new(
        result.Files.Where(static f => f.Key.StartsWith("Linear4Bit_", StringComparison.Ordinal)).ToDictionary(), StringComparer.Ordinal);

    private static string SourceFile([System.Runtime.CompilerServices.CallerFilePath] string file = "") => file;
}
