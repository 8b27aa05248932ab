using System.Collections.Immutable;
using Q4Gen.Generator;
using Q4Gen.Kernels;
using Q4Gen.Testing;
using Q4Gen.Tests.Kernels;
using static Q4Gen.Tests.Tuning.TuningText;

namespace Q4Gen.Tests.Tuning;

/// <summary>What a tuning file changes in generated code, and what it leaves alone.</summary>
[Trait(Emulated.Trait, Emulated.Never)] // The compiler takes minutes there.
public class TunedGenerationTests
{
    private const string Source = """
        using Q4Gen;

        namespace Demo;

        /// <summary>One shape.</summary>
        [Linear4Bit(In = 64, Out = 96, Group = 32)]
        public partial class Up;

        /// <summary>Another.</summary>
        [Linear4Bit(In = 96, Out = 64, Group = 32, Precision = Linear4BitPrecision.Int8Activations)]
        public partial class Down;

        """;

    private const string Tuned = "Linear4Bit_64x96_g32_avx2_here";

    private static readonly string[] s_entries =
    [
        Entry("64x96_g32", "avx2", "one", "panels2-sums1-ahead0"),
        Entry("64x96_g32", "avx2", "few", "default"),
        Entry("64x96_g32", "avx2", "many", "tile4x16-tail2-expand128-from8"),
        Entry("96x64_g32_int8", "avx2", "one", "panels1-ahead1024"),
    ];

    [Fact]
    public void ATunedKernelStandsBesideTheOneForEveryMachine()
    {
        HarnessResult result = GeneratorHarness.Run(Source, With(File([ThisMachine()], s_entries))).EnsureCompiles();
        string family = result.File("Linear4Bit_64x96_g32.g.cs");
        int tuned = family.IndexOf($"=> new {Tuned}(),", StringComparison.Ordinal);
        Assert.InRange(tuned, 0, family.IndexOf("=> new Linear4Bit_64x96_g32_avx2(),", StringComparison.Ordinal));
        Assert.Contains(
            $"KernelIsa.Avx2 when Avx2.IsSupported && Fma.IsSupported && TargetMachine.Is(\"{TargetMachine.Vendor}\", family: {TargetMachine.Family}, model: {TargetMachine.Model}, threads: {Linear4BitThreads.Count}, \"{TargetMachine.Rid}\") => new {Tuned}(),",
            family, StringComparison.Ordinal);

        string kernel = result.File(Tuned + ".g.cs");
        Assert.Contains("// Tuned for here:", kernel, StringComparison.Ordinal);
        Assert.Contains("// one  rows: panels2-sums1-ahead0\n// few  rows: default\n// many rows: tile4x16-tail2-expand128-from8\n", kernel, StringComparison.Ordinal);
        Assert.DoesNotContain("Prefetch.", kernel, StringComparison.Ordinal);
        Assert.Contains("MinTiledRows => 8;", kernel, StringComparison.Ordinal);
        Assert.Contains("private const int PrefetchBytes = 1024;", result.File("Linear4Bit_96x64_g32_int8_avx2_here.g.cs"), StringComparison.Ordinal);
    }

    [Fact]
    public void TheMachineItIsForRunsItAndNoOther()
    {
        Assert.SkipUnless(System.Runtime.Intrinsics.X86.Avx2.IsSupported, "The kernels that are tuned here are for AVX2.");
        string[] entries = [.. s_entries, Entry("64x96_g32", "avx2", "one", "panels1-sums2-ahead0", "elsewhere")];
        using LoadedProgram program = GeneratorHarness.Run(Source, With(File([OtherMachine(), ThisMachine()], entries))).Load();
        Assert.Equal(Tuned, Kernel("64x96_g32"));
        Assert.Equal("Linear4Bit_96x64_g32_int8_avx2_here", Kernel("96x64_g32_int8"));

        using LoadedProgram elsewhere = GeneratorHarness.Run(Source, With(File([OtherMachine("here")], s_entries))).Load();
        Assert.Equal("Linear4Bit_64x96_g32_avx2", Create(elsewhere, "64x96_g32").Name);

        string Kernel(string layer) => Create(program, layer).Name;
    }

    [Fact]
    public void AMachineThatChoseTheDefaultsGetsThem()
    {
        HarnessResult result = GeneratorHarness.Run(Source, With(File([ThisMachine()], Entry("64x96_g32", "avx2", "one", "default"), Entry("64x96_g32", "avx2", "few", "rows4x1"))));
        Assert.DoesNotContain(Tuned + ".g.cs", result.Files.Keys);
        Assert.Contains("what every machine gets was best", result.File("Linear4Bit_64x96_g32.g.cs"), StringComparison.Ordinal);
    }

    [Fact]
    public void EditingOneEntryEmitsOneShape()
    {
        HarnessResult before = GeneratorHarness.Run(Source, With(File([ThisMachine()], s_entries)));
        HarnessResult after = before.EditFile(FileName, File([ThisMachine()], [.. s_entries[..3], Entry("96x64_g32_int8", "avx2", "one", "panels1-ahead8192")]));
        Assert.Equal(1, after.Steps.Count(static step => step.Name == TrackingNames.EmitKernels && !step.IsReused));
        Assert.All(after.Steps.Where(static step => step.Name is TrackingNames.EmitRegistration or TrackingNames.EmitLayerClasses), static step => Assert.True(step.IsReused));
        Assert.Equal(GeneratorHarness.Run(Source, after.Options).Files, after.Files);

        // Places, machines' names and order are no choices.
        HarnessResult moved = before.EditFile(FileName, "\n\n" + File([ThisMachine()], [.. s_entries.Reverse()]));
        Assert.Equal(before.Files, moved.Files);
        Assert.DoesNotContain(moved.Steps, static step => step.Name == TrackingNames.EmitKernels && !step.IsReused);
    }

    [Fact]
    public void OutputIsAFunctionOfSourceOptionsAndFile()
    {
        HarnessOptions options = With(File([ThisMachine(), OtherMachine()], [.. s_entries, Entry("64x96_g32", "avx512", "one", "panels8-sums2-ahead0", "elsewhere")]));
        GeneratorChecks.All(Source, options with { CheckedArithmetic = true, Strict = true });
        Assert.Equal(GeneratorHarness.Run(Source, options).Files, GeneratorHarness.Run(Source, options).Files);
    }

    [Fact]
    public void OffIsAsIfThereWereNoFile()
    {
        string file = File([ThisMachine()], s_entries);
        Assert.Equal(GeneratorHarness.Run(Source).Files, GeneratorHarness.Run(Source, With(file, ("Q4GenTuning", "Off"))).Files);
        Assert.Equal(GeneratorHarness.Run(Source, With(file)).Files, GeneratorHarness.Run(Source, With(file, ("Q4GenTuning", "Prefer"))).Files);
    }

    [Theory]
    [InlineData("avx2", new[] { "avx2" }, new[] { "avx2" })]
    [InlineData("avx512; avx2;", new[] { "avx2", "avx512" }, new[] { "avx2", "avx512" })]
    [InlineData("avxvnni", new string[0], new[] { "avxvnni" })]
    [InlineData("", new[] { "avx2", "avx512", "vector128" }, new[] { "avx2", "avx512", "avxvnni", "dp", "vector128" })]
    public void TargetsSayWhichInstructionSetsAreEmitted(string targets, string[] exact, string[] int8)
    {
        HarnessResult result = GeneratorHarness.Run(Source, With(File([ThisMachine()], s_entries), ("Q4GenTargets", targets))).EnsureCompiles();
        Assert.Equal(exact.Append("scalar").Order(StringComparer.Ordinal), Isas("Linear4Bit_64x96_g32_"));
        Assert.Equal(int8.Append("scalar").Order(StringComparer.Ordinal), Isas("Linear4Bit_96x64_g32_int8_"));
        Assert.Equal(exact.Contains("avx2"), result.Files.ContainsKey(Tuned + ".g.cs"));

        IEnumerable<string> Isas(string prefix) => result.Files.Keys
            .Where(name => name.StartsWith(prefix, StringComparison.Ordinal) && !name.Contains("_here", StringComparison.Ordinal) && !(prefix.EndsWith("g32_", StringComparison.Ordinal) && name.Contains("_int8", StringComparison.Ordinal)))
            .Select(name => name[prefix.Length..^".g.cs".Length]);
    }

    internal static HarnessOptions With(string? file, params (string Name, string Value)[] properties) => HarnessOptions.Default with
    {
        AdditionalFiles = file is null ? ImmutableDictionary<string, string>.Empty : ImmutableDictionary<string, string>.Empty.Add(FileName, file),
        Properties = properties.ToImmutableDictionary(static property => property.Name, static property => property.Value),
    };

    private static Linear4BitKernel Create(LoadedProgram program, string layer) =>
        ((KernelFamily)program.Type($"Q4Gen.Generated.Linear4Bit_{layer}").GetField("Instance")!.GetValue(null)!).Create(KernelIsa.Avx2)!;
}
