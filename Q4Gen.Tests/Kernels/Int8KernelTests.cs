using Q4Gen.Kernels;
using Q4Gen.Testing;

namespace Q4Gen.Tests.Kernels;

/// <summary>Kernels with 8-bit activations: the same bits from every one of them, and how far they are from the exact result.</summary>
public class Int8KernelTests
{
    private static readonly int[] s_rowCounts = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 17, 31, 64];

    private static readonly Linear4BitShape[] s_tails =
        [new(2, 1, 8), new(24, 80, 8), new(130, 33, 64), new(172, 64, 64), new(520, 40, 512), new(352, 48, 328)];

    public static TheoryData<int, int, int> Shapes()
    {
        var data = new TheoryData<int, int, int>();
        foreach (Linear4BitShape shape in Layers.Int8Shapes)
        {
            data.Add(shape.In, shape.Out, shape.Group);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void GeneratedKernelsGiveTheBitsOfTheSpecification(int inFeatures, int outFeatures, int group)
    {
        var shape = new Linear4BitShape(inFeatures, outFeatures, group);
        KernelFamily family = KernelRegistry.Find(shape, Linear4BitPrecision.Int8Activations);
        Linear4BitKernel[] kernels = [.. KernelChecks.Kernels(family)];
        Assert.Contains(kernels, static k => k.Isa == KernelIsa.Scalar);
        Assert.All(kernels, static k => Assert.True(k.IsGenerated && k.Precision == Linear4BitPrecision.Int8Activations, k.Name));
        CheckBits(LayerData.Random(shape, seed: inFeatures, bias: Layers.HasBias(shape)), kernels, Gaussian);
    }

    [Fact]
    public void GenericKernelsGiveTheBitsOfTheSpecification()
    {
        foreach (Linear4BitShape shape in Cases.Take(Cases.Shape, 12, seed: 5))
        {
            CheckBits(LayerData.Random(shape, seed: shape.In), [.. KernelChecks.Kernels(new GenericInt8KernelFamily(shape))], Gaussian);
        }
    }

    /// <summary>Instructions that this processor lacks, in software.</summary>
    [Theory]
    [Trait(Emulated.Trait, Emulated.Never)]
    [InlineData(KernelIsa.AvxVnni)]
    [InlineData(KernelIsa.Avx512)]
    [InlineData(KernelIsa.Avx2)]
    public void InstructionsInSoftware(KernelIsa isa)
    {
        using CompiledKernels compiled = CompiledKernels.Compile(s_tails, inSoftware: true, HarnessOptions.Default, Linear4BitPrecision.Int8Activations);
        foreach (Linear4BitShape shape in s_tails)
        {
            Linear4BitKernel kernel = compiled.Family(shape, Linear4BitPrecision.Int8Activations).Create(isa)!;
            CheckBits(LayerData.Random(shape, seed: 3), [kernel], Gaussian);
            CheckBits(LayerData.Random(shape, seed: 3), [kernel], static (length, _) => Extreme(length));
        }
    }

    [Fact]
    [Trait(Emulated.Trait, Emulated.Never)]
    public void RandomShapesWithCheckedArithmetic()
    {
        Linear4BitShape[] shapes = [.. Cases.Take(Cases.Shape, 6, seed: 9).Distinct()];
        using CompiledKernels compiled = CompiledKernels.Compile(shapes, inSoftware: false, HarnessOptions.Hostile, Linear4BitPrecision.Int8Activations);
        foreach (Linear4BitShape shape in shapes)
        {
            Linear4BitKernel[] kernels = [.. KernelChecks.Kernels(compiled.Family(shape, Linear4BitPrecision.Int8Activations))];
            Assert.Contains(kernels, static k => k.Isa == KernelIsa.Scalar);
            CheckBits(LayerData.Random(shape, seed: 2), kernels, Gaussian);
        }
    }

    /// <summary>All nibbles 15 or all 0, all bytes 127 or all −127: the largest sums there are, in every lane.</summary>
    [Theory]
    [InlineData(0xFF, 1f)]
    [InlineData(0xFF, -1f)]
    [InlineData(0x00, 1f)]
    [InlineData(0x00, -1f)]
    public void NothingSaturates(byte weight, float x)
    {
        foreach (Linear4BitShape shape in Layers.Int8Shapes)
        {
            LayerData data = LayerData.Random(shape, seed: 1, bias: false);
            data.Weight.AsSpan().Fill(weight);
            data.Scales.AsSpan().Fill(Half.One);
            KernelFamily family = KernelRegistry.Find(shape, Linear4BitPrecision.Int8Activations);
            float expected = (weight == 0 ? -8f : 7f) * x * shape.In;
            foreach (Linear4BitKernel kernel in KernelChecks.Kernels(family))
            {
                float[] input = new float[5 * shape.In];
                input.AsSpan().Fill(x);
                KernelChecks.Check(data, kernel, [1, 5], input, (y, what) =>
                {
                    foreach (float value in y)
                    {
                        // 1 / 127 · 127 is not quite 1 in float32.
                        Assert.True(MathF.Abs(value - expected) <= 1e-6f * MathF.Abs(expected), $"{what}: {value}, expected {expected}");
                    }
                });
            }
        }
    }

    /// <summary>x whose bytes are all ±127, in every pattern of signs.</summary>
    [Fact]
    public void ExtremeInputs()
    {
        foreach (Linear4BitShape shape in Layers.Int8Shapes)
        {
            KernelFamily family = KernelRegistry.Find(shape, Linear4BitPrecision.Int8Activations);
            CheckBits(LayerData.Random(shape, seed: 8), [.. KernelChecks.Kernels(family)], static (length, _) => Extreme(length));
        }
    }

    [Fact]
    public void GaussianInputsAreWithinOnePercent()
    {
        foreach (Linear4BitShape shape in (Linear4BitShape[])[new(4096, 64, 128), new(172, 64, 64), new(1024, 256, 1024), new(2048, 32, 32)])
        {
            double error = RelativeError(shape, Gaussian(4 * shape.In, 1));
            Assert.InRange(error, 1e-4, 1e-2);
        }
    }

    /// <summary>One column in 256 a hundred times as large: what docs/kernels.md says of outliers.</summary>
    [Fact]
    public void OutlierChannelsCostWhatTheDocumentationSays()
    {
        var shape = new Linear4BitShape(4096, 64, 128);
        float[] x = Gaussian(4 * shape.In, 1);
        for (int i = 17; i < x.Length; i += 256)
        {
            x[i] *= 100;
        }

        // Relative to outputs that the outliers dominate the error stays small; the share of the other columns drowns.
        Assert.InRange(RelativeError(shape, x), 1e-3, 5e-2);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void ARowThatIsNoNumberGivesNoNumberAndLeavesOthersAlone(float value)
    {
        foreach (Linear4BitShape shape in Layers.Int8Shapes)
        {
            LayerData data = LayerData.Random(shape, seed: 6);
            float[] x = Gaussian(3 * shape.In, 4);
            float[] clean = Int8Reference.Forward(data, x);
            x[shape.In + shape.In / 2] = value;
            foreach (Linear4BitKernel kernel in KernelChecks.Kernels(KernelRegistry.Find(shape, Linear4BitPrecision.Int8Activations)))
            {
                KernelChecks.CheckPlain(data, kernel, x, (y, what) =>
                {
                    for (int i = 0; i < y.Length; i++)
                    {
                        bool isHit = i / shape.Out == 1;
                        Assert.True(isHit ? float.IsNaN(y[i]) : y[i] == clean[i], $"{what}: y[{i}] = {y[i]}");
                    }
                });
            }
        }
    }

    [Theory]
    [InlineData(0f)]
    [InlineData(1e-37f)]
    [InlineData(1e-42f)]
    public void WhatIsTooSmallIsZero(float value)
    {
        var shape = new Linear4BitShape(172, 64, 64);
        LayerData data = LayerData.Random(shape, seed: 6);
        float[] x = new float[shape.In];
        x.AsSpan().Fill(value);
        foreach (Linear4BitKernel kernel in KernelChecks.Kernels(KernelRegistry.Find(shape, Linear4BitPrecision.Int8Activations)))
        {
            KernelChecks.CheckPlain(data, kernel, x, (y, what) => Assert.True(y.SequenceEqual(data.Bias), what));
        }
    }

    [Fact]
    public void ALayerSaysItsPrecision()
    {
        LayerData data = LayerData.Random(new Linear4BitShape(172, 64, 64), seed: 1);
        using Linear4Bit exact = data.CreateLayer();
        using Linear4Bit int8 = exact.CloneFor(Linear4BitPrecision.Int8Activations);
        using Linear4Bit scalar = int8.CloneFor(KernelIsa.Scalar)!;
        Assert.Equal(Linear4BitPrecision.Exact, exact.Precision);
        Assert.DoesNotContain("int8", exact.ToString(), StringComparison.Ordinal);
        Assert.Equal(Linear4BitPrecision.Int8Activations, int8.Kernel.Precision);
        Assert.Equal(Linear4BitPrecision.Int8Activations, scalar.Precision);
        Assert.EndsWith("(generated, int8 activations)", int8.ToString(), StringComparison.Ordinal);
        Assert.Contains("_int8_", int8.Kernel.Name, StringComparison.Ordinal);
        ArgumentOutOfRangeException e = Assert.Throws<ArgumentOutOfRangeException>(() => exact.CloneFor((Linear4BitPrecision)7));
        Assert.Contains("give Exact or Int8Activations", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(5)]
    public void RowsAreCutIntoTilesThatCoverThemInOrder(int maxHeight)
    {
        for (int rows = 1; rows <= 60; rows++)
        {
            var tiles = new RowTiles(rows, maxHeight);
            int row = 0;
            for (int tile = 0; tile < tiles.Count; tile++)
            {
                int height = tiles.HeightOf(tile);
                Assert.Equal(row, tiles.RowOf(tile));
                Assert.True(height == maxHeight || (height is 1 or 2 or 4 && height < maxHeight), $"{rows} rows: a tile of {height}");
                row += height;
            }

            Assert.Equal(rows, row);
        }
    }

    private static void CheckBits(LayerData data, IReadOnlyList<Linear4BitKernel> kernels, Func<int, int, float[]> input)
    {
        foreach (Linear4BitKernel kernel in kernels)
        {
            int[] rowCounts = kernel.Isa == KernelIsa.Scalar ? [1, 3] : s_rowCounts;
            float[] x = input(rowCounts[^1] * data.Shape.In, 11);
            float[] expected = Int8Reference.Forward(data, x);
            KernelChecks.Check(data, kernel, rowCounts, x, (y, what) =>
            {
                for (int i = 0; i < y.Length; i++)
                {
                    Assert.True(
                        BitConverter.SingleToInt32Bits(y[i]) == BitConverter.SingleToInt32Bits(expected[i]),
                        $"{what}: y[{i}] = {y[i]:R}, the specification gives {expected[i]:R}");
                }
            });
        }
    }

    private static double RelativeError(Linear4BitShape shape, float[] x)
    {
        LayerData data = LayerData.Random(shape, seed: 21, bias: false);
        using Linear4Bit exact = data.CreateLayer();
        using Linear4Bit int8 = exact.CloneFor(Linear4BitPrecision.Int8Activations);
        float[] y = new float[x.Length / shape.In * shape.Out];
        int8.Forward(x, y);
        double[] reference = data.Reference(x).Y;
        double error = 0, norm = 0;
        for (int i = 0; i < y.Length; i++)
        {
            error += (y[i] - reference[i]) * (y[i] - reference[i]);
            norm += reference[i] * reference[i];
        }

        return Math.Sqrt(error / norm);
    }

    private static float[] Gaussian(int length, int seed)
    {
        var random = new Random(seed);
        var x = new float[length];
        foreach (ref float value in x.AsSpan())
        {
            value = (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        }

        return x;
    }

    private static float[] Extreme(int length)
    {
        var random = new Random(12);
        var x = new float[length];
        foreach (ref float value in x.AsSpan())
        {
            value = random.Next(2) == 0 ? 3f : -3f;
        }

        return x;
    }
}
