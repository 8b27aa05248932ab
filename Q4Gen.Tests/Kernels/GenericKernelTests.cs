using Q4Gen.Kernels;

namespace Q4Gen.Tests.Kernels;

/// <summary>Kernels for shapes that nobody annotated, against float64.</summary>
public class GenericKernelTests
{
    [Fact]
    public void RandomShapes()
    {
        int seed = 0;
        foreach (Linear4BitShape shape in Cases.Take(Cases.Shape, 150, seed: 20261122))
        {
            seed++;
            LayerData data = LayerData.Random(shape, seed, bias: seed % 2 == 0, seed % 5 == 0 ? ScaleKind.Degenerate : ScaleKind.Mixed);
            foreach (Linear4BitKernel kernel in KernelChecks.Kernels(new GenericKernelFamily(shape)))
            {
                KernelChecks.Check(data, kernel, [1 + seed % 3, 4 + seed % 9], checkNorm: seed % 5 != 0);
            }
        }
    }
}
