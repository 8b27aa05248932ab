using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Q4Gen.Generator;
using Q4Gen.Testing;
using Q4Gen.Tests.Generator;
using Q4Gen.Tests.Kernels;

namespace Q4Gen.Tests.Gpu;

/// <summary>Which programs get GPU kernels, for which layers, and when they are written anew.</summary>
[Trait(Emulated.Trait, Emulated.Never)] // The compiler takes minutes there, and nothing here depends on the processor.
public class GpuEmissionTests
{
    private const string Source = """
        using Q4Gen;
        namespace Demo;
        [Linear4Bit(In = 64, Out = 32, Group = 32)] public partial class Exact;
        [Linear4Bit(In = 64, Out = 32, Group = 32, Precision = Linear4BitPrecision.Int8Activations)] public partial class Int8;
        [Linear4Bit(In = 40, Out = 24, Group = 16)] public partial class NoTensorCores;
        [Linear4Bit(In = 40, Out = 24, Group = 12)] public partial class Odd;
        """;

    private static readonly HarnessOptions s_withGpu = CompiledGpuKernels.WithGpu(HarnessOptions.Default);

    [Fact]
    public void OnlyAProgramThatReferencesTheGpuRuntimeGetsThem()
    {
        Assert.DoesNotContain(GeneratorHarness.Run(Source).Files, IsGpu);
        Assert.DoesNotContain("Gpu", GeneratorHarness.Run(Source).File("Q4Gen.Registration.g.cs"), StringComparison.Ordinal);
        Assert.Equal(
            [
                "Linear4Bit_40x24_g16_gpu.g.cs", "Linear4Bit_40x24_g16_simt.g.cs", "Linear4Bit_64x32_g32_gpu.g.cs",
                "Linear4Bit_64x32_g32_mma_batch.g.cs", "Linear4Bit_64x32_g32_mma_decode.g.cs", "Linear4Bit_64x32_g32_mma_prefill.g.cs",
                "Linear4Bit_64x32_g32_simt.g.cs",
            ],
            GeneratorHarness.Run(Source, s_withGpu).EnsureCompiles().Files.Where(IsGpu).Select(static file => file.Key).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task EightBitActivationsAreReportedAsIgnored()
    {
        HarnessResult result = GeneratorHarness.Run(Source, s_withGpu);
        ImmutableArray<Diagnostic> found = await result.AnalyzeAsync(TestContext.Current.CancellationToken);
        Diagnostic ignored = Assert.Single(found, static d => d.Id == "Q4G0021");
        Assert.Equal(DiagnosticSeverity.Info, ignored.Severity);
        Assert.Contains("'Int8' rounds activations to 8 bits on the processor only", ignored.GetMessage(), StringComparison.Ordinal);
        Assert.Equal("Precision = Linear4BitPrecision.Int8Activations", ignored.Location.SourceTree!.ToString().Substring(ignored.Location.SourceSpan.Start, ignored.Location.SourceSpan.Length));
        Assert.DoesNotContain(
            await GeneratorHarness.Run(Source).AnalyzeAsync(TestContext.Current.CancellationToken), static d => d.Id == "Q4G0021");
    }

    /// <summary>The project's property means the processor.</summary>
    [Fact]
    public async Task AProjectsPrecisionIsNotReported()
    {
        HarnessResult result = GeneratorHarness.Run(
            "[Q4Gen.Linear4Bit(In = 64, Out = 32, Group = 32)] public partial class Gate;",
            s_withGpu with { Properties = ImmutableDictionary<string, string>.Empty.Add("Q4GenPrecision", "Int8Activations") });
        Assert.Contains("Linear4Bit_64x32_g32_int8_avx2.g.cs", result.Files.Keys);
        Assert.Contains("Linear4Bit_64x32_g32_gpu.g.cs", result.Files.Keys);
        Assert.Empty(await result.AnalyzeAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public void AnEditElsewhereWritesNothingAnew()
    {
        HarnessResult first = GeneratorHarness.Run([Source, "class Other;"], s_withGpu);
        HarnessResult second = first.Edit("class Other { int value; }", 1);
        Assert.All(
            second.Steps.Where(static step => step.Name is TrackingNames.EmitGpuKernels or TrackingNames.PlanGpuKernels),
            static step => Assert.True(step.IsReused, $"{step}"));
        HarnessResult third = second.Edit(Source.Replace("Out = 24, Group = 16", "Out = 48, Group = 16", StringComparison.Ordinal));
        Assert.Equal(1, Emission.Count(third, TrackingNames.EmitGpuKernels));
    }

    private static bool IsGpu(KeyValuePair<string, string> file) =>
        file.Key.Contains("_gpu", StringComparison.Ordinal) || file.Key.Contains("_simt", StringComparison.Ordinal)
        || file.Key.Contains("_mma", StringComparison.Ordinal);
}
