using Q4Gen.Testing;
using Q4Gen.Tests.Kernels;

namespace Q4Gen.Tests.Testing;

/// <summary>A user's check of kernels finds what is wrong, and says what it did not run.</summary>
[Trait(Emulated.Trait, Emulated.Never)] // The compiler takes minutes there; kernels there are tested by GeneratedKernelTests.
public partial class KernelOracleTests
{
    [Fact]
    public void AnAnnotatedClassIsChecked()
    {
        OracleReport report = KernelOracle.Check<Gate>(seed: 3);
        Assert.Equal(new Linear4BitShape(80, 40, 16), report.Shape);
        Assert.Contains(report.Checks, static check => check.Isa == KernelIsa.Scalar && check.Kernel == "Linear4Bit_80x40_g16_scalar");
        Assert.Equal(Enum.GetValues<KernelIsa>().Length, report.Checks.Select(static check => check.Isa).Distinct().Count() + report.Skipped.Count);
        Assert.Contains("not run here:", report.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Linear4BitPrecision.Exact)]
    [InlineData(Linear4BitPrecision.Int8Activations)]
    public void AnyShapeIsChecked(Linear4BitPrecision precision)
    {
        OracleReport report = KernelOracle.Check(new Linear4BitShape(130, 33, 64), precision);
        Assert.NotEmpty(report.Checks);
        Assert.NotEmpty(KernelOracle.Check(report.Shape, precision, isAffine: true, hasInputOrder: true).Checks);
        Assert.Equal(precision == Linear4BitPrecision.Int8Activations, report.Checks.All(static check => check.HasScalarBits));
    }

    /// <summary>Of the same weights and inputs, so that other errors come from the offsets.</summary>
    [Fact]
    public void AffineLayersAreCheckedWithOffsets()
    {
        double[] declared = Errors(KernelOracle.Check<AffineGate>());
        Assert.Equal(declared, Errors(KernelOracle.Check(new Linear4BitShape(80, 40, 16), hasBias: false, isAffine: true)));
        Assert.NotEqual(declared, Errors(KernelOracle.Check(new Linear4BitShape(80, 40, 16), hasBias: false)));

        // Of a program it is known by its declarations, of properties too.
        using LoadedProgram program = GeneratorHarness.Run(
            "using Q4Gen; public partial class Model { [Linear4Bit(In = 24, Out = 20, Group = 8, Affine = true)] public partial Linear4Bit Up { get; } }").Load();
        Assert.NotEqual(
            Errors(KernelOracle.Check(new Linear4BitShape(24, 20, 8))), Errors(Assert.Single(KernelOracle.CheckAll(program.Assembly))));

        static double[] Errors(OracleReport report) => [.. report.Checks.Select(static check => check.RelativeError)];
    }

    /// <summary>A kernel that takes other words than its panel's, as a mistake in the generator could.</summary>
    [Theory]
    [InlineData("Exact")]
    [InlineData("Int8Activations")]
    public void AWrongKernelIsFound(string precision)
    {
        Dictionary<string, string> files = GeneratorHarness.Run(
            $"[Q4Gen.Linear4Bit(In = 64, Out = 48, Group = 32, Precision = Q4Gen.Linear4BitPrecision.{precision})] public partial class Gate;").Files
            .Where(static f => f.Key.StartsWith("Linear4Bit_", StringComparison.Ordinal)).ToDictionary();
        using (LoadedProgram right = GeneratorHarness.Load(files))
        {
            Assert.Single(KernelOracle.CheckAll(right.Assembly));
        }

        string name = files.Keys.Single(static key => key.EndsWith("_vector128.g.cs", StringComparison.Ordinal));
        string wrong = files[name].Replace("WordsPerPanel = Steps * WordsPerStep", "WordsPerPanel = Steps * WordsPerStep - 16", StringComparison.Ordinal);
        Assert.NotEqual(files[name], wrong);
        files[name] = wrong;
        using LoadedProgram program = GeneratorHarness.Load(files);
        var exception = Assert.Throws<KernelOracleException>(() => KernelOracle.CheckAll(program.Assembly));
        Assert.Contains("_vector128 is wrong for 1 rows", exception.Message, StringComparison.Ordinal);
    }

    /// <summary>A layer.</summary>
    [Linear4Bit(In = 80, Out = 40, Group = 16)]
    private sealed partial class Gate;

    /// <summary>A layer with offsets.</summary>
    [Linear4Bit(In = 80, Out = 40, Group = 16, Affine = true)]
    private sealed partial class AffineGate;
}
