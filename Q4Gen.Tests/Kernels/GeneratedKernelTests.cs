using Q4Gen.Kernels;

namespace Q4Gen.Tests.Kernels;

/// <summary>Kernels that the compiler wrote for the shapes in <see cref="Layers"/>, against float64.</summary>
public class GeneratedKernelTests
{
    private static readonly int[] s_rowCounts = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 16, 17, 23, 24, 33, 64, 100];

    /// <summary>The scalar kernel has no tiles, so more rows would only be more of the same.</summary>
    private static readonly int[] s_scalarRowCounts = [1, 2, 9];

    public static TheoryData<int, int, int> Shapes()
    {
        var data = new TheoryData<int, int, int>();
        foreach (Linear4BitShape shape in Layers.Shapes)
        {
            data.Add(shape.In, shape.Out, shape.Group);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void EveryNumberOfRows(int inFeatures, int outFeatures, int group)
    {
        var shape = new Linear4BitShape(inFeatures, outFeatures, group);
        bool bias = Layers.HasBias(shape);
        LayerData data = LayerData.Random(shape, seed: inFeatures + outFeatures, bias);
        foreach (Linear4BitKernel kernel in Kernels(shape))
        {
            KernelChecks.Check(data, kernel, kernel.Isa == KernelIsa.Scalar ? s_scalarRowCounts : s_rowCounts);
        }
    }

    [Theory]
    [InlineData(InputKind.LargeMean)]
    [InlineData(InputKind.Huge)]
    [InlineData(InputKind.Tiny)]
    [InlineData(InputKind.Sparse)]
    [InlineData(InputKind.TwoColumns)]
    public void EveryKindOfInput(InputKind input)
    {
        foreach (Linear4BitShape shape in Layers.Shapes.Where(static s => s.WeightBytes < 1 << 17))
        {
            LayerData data = LayerData.Random(shape, seed: 3, bias: input != InputKind.Tiny);
            foreach (Linear4BitKernel kernel in Kernels(shape))
            {
                KernelChecks.Check(data, kernel, [1, 3, 14], input, checkNorm: input != InputKind.LargeMean);
            }
        }
    }

    /// <summary>
    /// Columns that dwarf the others cost outputs whose weights vanish there no more than weights of a usual size would, four
    /// steps; with 128-bit vectors sixteen, because nibbles are multiplied as 0 to 15 and the 8 is taken back in float32.
    /// Kernels for one row: those for more are plain float32 sums, whose error grows with their length.
    /// </summary>
    [Theory]
    [InlineData(InputKind.Outliers)]
    [InlineData(InputKind.ManySizes)]
    public void ColumnsOfDifferentSizes(InputKind input)
    {
        foreach (Linear4BitShape shape in Layers.Shapes.Where(static s => s.WeightBytes < 1 << 17))
        {
            LayerData data = LayerData.Random(shape, seed: 3, bias: false);
            float[] x = LayerData.RandomInput(40 * shape.In, seed: 7, input);
            foreach (Linear4BitKernel kernel in Kernels(shape))
            {
                Expected expected = data.Reference(x, leastSteps: kernel.Isa == KernelIsa.Vector128 ? 16 : 4);
                KernelChecks.Check(data, kernel, [1, 3], x, (y, what) => expected.Check(y, $"{what}, {input}", checkNorm: false));
            }
        }
    }

    [Fact]
    public void ZeroNegativeAndDenormalScales()
    {
        foreach (Linear4BitShape shape in Layers.Shapes.Where(static s => s.WeightBytes < 1 << 17))
        {
            LayerData data = LayerData.Random(shape, seed: 4, bias: false, ScaleKind.Degenerate);
            foreach (Linear4BitKernel kernel in Kernels(shape))
            {
                KernelChecks.Check(data, kernel, [1, 2, 15]);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void ALayerOfAnAnnotatedShapeRunsItsOwnKernel(int inFeatures, int outFeatures, int group)
    {
        using Linear4Bit layer = LayerData.Random(new Linear4BitShape(inFeatures, outFeatures, group), seed: 1).CreateLayer();
        Assert.True(layer.Kernel.IsGenerated, layer.Kernel.ToString());
    }

    private static IEnumerable<Linear4BitKernel> Kernels(Linear4BitShape shape)
    {
        Linear4BitKernel[] kernels = [.. KernelChecks.Kernels(KernelRegistry.Find(shape))];
        Assert.Contains(kernels, static k => k.Isa == KernelIsa.Scalar);
        Assert.All(kernels, static k => Assert.True(k.IsGenerated, k.Name));
        return kernels;
    }
}
