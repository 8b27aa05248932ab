using Q4Gen.Kernels;
using Q4Gen.Packing;

namespace Q4Gen.Tests.Runtime;

/// <summary>Panel layout R16K8: what stands where, and the way there and back.</summary>
public sealed unsafe class PackingTests
{
    [Fact]
    public void EveryColumnStandsWhereTheLayoutSays()
    {
        foreach (Linear4BitShape shape in Linear4BitSample.Take(Linear4BitSample.Shapes, 60))
        {
            Linear4BitSample sample = Linear4BitSample.Create(shape);
            PackedWeights packed = PanelPacker.Pack(shape, sample.Weight, sample.Scales, default);
            float[] w = Linear4BitReference.Dequantize(shape, sample.Weight, sample.Scales);
            for (int row = 0; row < shape.Panels * 16; row++)
            {
                for (int column = 0; column < shape.Steps * 8; column++)
                {
                    bool inside = row < shape.Out && column < shape.In;
                    uint word = (uint)packed.Words(row / 16)[column / 8 * 16 + row % 16];
                    int value = (int)(word >> (4 * (column % 8)) & 0xF) - 8;
                    int group = Math.Min(column, shape.In - 1) / shape.Group;
                    float scale = (float)BitConverter.Int16BitsToHalf(packed.Scales(row / 16)[group * 16 + row % 16]);
                    float expected = inside ? w[row * shape.In + column] : 0;
                    if (value * scale != expected || (!inside && value != 0) || (row >= shape.Out && scale != 0))
                    {
                        Assert.Fail($"{shape}: W[{row}, {column}] is {value} · {scale} in panels where the file has {expected}.");
                    }
                }
            }
        }
    }

    [Fact]
    public void UnpackingGivesTheFileBack()
    {
        foreach (Linear4BitShape shape in Linear4BitSample.Take(Linear4BitSample.Shapes, 300))
        {
            Linear4BitSample sample = Linear4BitSample.Create(shape, bias: true);
            PackedWeights packed = PanelPacker.Pack(shape, sample.Weight, sample.Scales, sample.Bias);
            var weight = new byte[sample.Weight.Length];
            var scales = new Half[sample.Scales.Length];
            PanelPacker.UnpackRows(packed, weight);
            PanelPacker.UnpackScales(packed, scales);
            Assert.True(weight.AsSpan().SequenceEqual(sample.Weight), $"{shape}: other weights came back.");
            Assert.True(scales.AsSpan().SequenceEqual(sample.Scales), $"{shape}: other scales came back.");
            Assert.True(new ReadOnlySpan<float>(packed.Bias, shape.Out).SequenceEqual(sample.Bias), $"{shape}: another bias came back.");
            Assert.False(new ReadOnlySpan<float>(packed.Bias, shape.Panels * 16)[shape.Out..].ContainsAnyExcept(0f), $"{shape}: bias beyond the last row.");
        }
    }

    [Fact]
    public void StreamedRowsGiveTheSamePanels()
    {
        var shape = new Linear4BitShape(172, 37, 64);
        Linear4BitSample sample = Linear4BitSample.Create(shape);
        PackedWeights whole = PanelPacker.Pack(shape, sample.Weight, sample.Scales, default);
        var streamed = new PackedWeights(shape, hasBias: false);
        foreach ((int first, int end) in new[] { (32, 37), (0, 16), (16, 32) })
        {
            PanelPacker.PackRows(streamed, first, sample.Weight.AsSpan()[(first * 86)..(end * 86)]);
            PanelPacker.PackGroups(streamed, first, sample.Scales.AsSpan()[(first * 3)..(end * 3)], areOffsets: false);
        }

        Assert.True(Bytes(whole.Words(0), shape.PackedWeightBytes).SequenceEqual(Bytes(streamed.Words(0), shape.PackedWeightBytes)));
        Assert.True(Bytes(whole.Scales(0), shape.PackedScaleBytes).SequenceEqual(Bytes(streamed.Scales(0), shape.PackedScaleBytes)));
    }

    [Theory]
    [InlineData(8, 16)] // Starts inside a panel.
    [InlineData(0, 15)] // Ends inside a panel that is not the last.
    [InlineData(32, 6)] // Goes beyond the last row.
    [InlineData(48, 0)] // Starts beyond the last row.
    [InlineData(-16, 16)]
    public void RowsThatAreNoWholePanelsAreRefused(int firstRow, int rows)
    {
        var target = new PackedWeights(new Linear4BitShape(64, 37, 32), hasBias: false);
        string message = Assert.Throws<ArgumentException>("weightRows", () => PanelPacker.PackRows(target, firstRow, new byte[rows * 32])).Message;
        Assert.Contains($"row {firstRow}", message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>("groupRows", () => PanelPacker.PackGroups(target, firstRow, new Half[rows * 2], areOffsets: false));
    }

    [Fact]
    public void BrokenRowsAreRefused()
    {
        var target = new PackedWeights(new Linear4BitShape(64, 16, 32), hasBias: false);
        Assert.Throws<ArgumentException>("weightRows", () => PanelPacker.PackRows(target, 0, new byte[16 * 32 - 1]));
        Assert.Throws<ArgumentException>("bias", () => PanelPacker.SetBias(target, new float[16]));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void TheFirstNonFiniteValueIsFound(float bad)
    {
        for (int at = 0; at < 40; at++)
        {
            var scales = new Half[40];
            var bias = new float[40];
            scales.AsSpan(at).Fill((Half)bad);
            bias.AsSpan(at).Fill(bad);
            Assert.Equal(at, PanelPacker.IndexOfNonFinite(scales));
            Assert.Equal(at, PanelPacker.IndexOfNonFinite(bias));
        }

        Assert.Equal(-1, PanelPacker.IndexOfNonFinite([Half.MaxValue, Half.MinValue, Half.Epsilon, Half.NegativeZero]));
        Assert.Equal(-1, PanelPacker.IndexOfNonFinite([float.MaxValue, float.MinValue, 0f]));
        Assert.Equal(-1, PanelPacker.IndexOfNonFinite(ReadOnlySpan<float>.Empty));
    }

    private static ReadOnlySpan<byte> Bytes(void* start, long length) => new(start, checked((int)length));
}
