using Q4Gen.Kernels;
using Q4Gen.Testing;

namespace Q4Gen.Tests.Kernels;

/// <summary>Kernels of random shapes, generated and compiled on the spot, against float64.</summary>
[Trait(Emulated.Trait, Emulated.Never)] // The compiler takes minutes there; what it would write is tested as GeneratedKernelTests.
public class CompiledKernelTests
{
    private static readonly int[] s_rowCounts = [1, 2, 3, 5, 11, 12, 17, 31];

    private static readonly Linear4BitShape[] s_randomShapes = [.. Cases.Take(Cases.Shape, 8, seed: 42).Distinct()];

    /// <summary>Every kind of last step, panel and group, and blocks that are cut; small, for software is slow.</summary>
    private static readonly Linear4BitShape[] s_tails =
        [new(2, 1, 8), new(24, 80, 8), new(78, 17, 16), new(130, 33, 64), new(172, 64, 64), new(520, 40, 512)];

    [Fact]
    public void RandomShapes() => Check(s_randomShapes, inSoftware: false, HarnessOptions.Default, Enum.GetValues<KernelIsa>());

    /// <summary>A sum or an index that overflowed would throw.</summary>
    [Fact]
    public void RandomShapesWithCheckedArithmetic() =>
        Check(s_randomShapes.Take(4), inSoftware: false, HarnessOptions.Hostile, Enum.GetValues<KernelIsa>());

    /// <summary>So that kernels for processors that the tests have not met are checked wherever tests run.</summary>
    [Theory]
    [InlineData(KernelIsa.Avx512)]
    [InlineData(KernelIsa.Avx2)]
    public void InstructionsInSoftware(KernelIsa isa)
    {
        Check(s_tails, inSoftware: true, HarnessOptions.Default, isa);
    }

    private static void Check(IEnumerable<Linear4BitShape> shapes, bool inSoftware, HarnessOptions options, params KernelIsa[] instructionSets)
    {
        Linear4BitShape[] all = [.. shapes];
        using CompiledKernels compiled = CompiledKernels.Compile(all, inSoftware, options);
        int seed = 0;
        foreach (Linear4BitShape shape in all)
        {
            LayerData data = LayerData.Random(shape, ++seed, bias: seed % 2 == 0);
            KernelFamily family = compiled.Family(shape);
            Linear4BitKernel[] kernels = [.. instructionSets.Select(family.Create).OfType<Linear4BitKernel>()];
            Assert.NotEmpty(kernels);
            foreach (Linear4BitKernel kernel in kernels)
            {
                KernelChecks.Check(data, kernel, s_rowCounts);
            }
        }
    }
}
