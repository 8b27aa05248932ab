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
        Assert.Equal(precision == Linear4BitPrecision.Int8Activations, report.Checks.All(static check => check.HasScalarBits));
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
}
