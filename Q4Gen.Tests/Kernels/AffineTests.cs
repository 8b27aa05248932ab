extern alias runtime;

using Q4Gen.Kernels;
using Q4Gen.Testing;
using Q4Gen.Tests.Runtime;

namespace Q4Gen.Tests.Kernels;

/// <summary>A declared layer with everything that there is.</summary>
[Linear4Bit(In = 72, Out = 37, Group = 32, Affine = true, Bias = true)]
internal sealed partial class AffineLayer;

/// <summary>A declared layer with offsets alone.</summary>
[Linear4Bit(In = 72, Out = 37, Group = 32, Affine = true)]
internal sealed partial class AffineLayerWithoutBias;

/// <summary>Affine weights: what offsets add, on every kernel, and how they are declared, loaded and kept.</summary>
public class AffineTests
{
    private const double Tolerance = 1e-6;

    public static TheoryData<int, int, int> Shapes() => new()
    {
        { 8, 16, 8 }, { 2, 1, 1 }, { 12, 17, 6 }, { 172, 37, 64 }, { 130, 33, 64 }, { 256, 96, 32 }, { 656, 40, 328 }, { 72, 37, 32 }, { 64, 5, 100 }, { 1024, 48, 16 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void EveryKernelAddsThem(int inFeatures, int outFeatures, int group)
    {
        var shape = new Linear4BitShape(inFeatures, outFeatures, group);
        LayerData data = LayerData.Random(shape, seed: 5);
        Half[] offsets = Offsets(shape, 6);
        float[] x = LayerData.RandomInput(70 * inFeatures, seed: 7, InputKind.Centred);
        double[] expected = Linear4BitReference.Forward(shape, data.Weight, data.Scales, data.Bias, x, offsets);
        double[] magnitude = Magnitude(shape, data, offsets, x);
        using var layer = Linear4Bit.Create(inFeatures, outFeatures, group, data.Weight, data.Scales, data.Bias, offsets, precision: Linear4BitPrecision.Exact);
        Assert.True(layer.IsAffine);
        foreach (KernelIsa isa in Enum.GetValues<KernelIsa>())
        {
            using Linear4Bit? clone = layer.CloneFor(isa);
            foreach (int rows in clone is null ? [] : (int[])[1, 2, 3, 4, 5, 7, 33, 70])
            {
                float[] y = ThreadChecks.Run(clone!, x.AsSpan(0, rows * inFeatures));
                for (int i = 0; i < y.Length; i++)
                {
                    Assert.True(Math.Abs(y[i] - expected[i]) <= Tolerance * magnitude[i], $"{clone!.Kernel}, {rows} rows, output {i}: {y[i]} instead of {expected[i]}");
                }
            }
        }

        var unpacked = new float[expected.Length];
        layer.ForwardUnpack(x, unpacked);
        Assert.All(unpacked.Zip(expected, magnitude), item => Assert.True(Math.Abs(item.First - item.Second) <= Tolerance * item.Third));
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void WithInt8ActivationsSumsAreOfXAsItWasGiven(int inFeatures, int outFeatures, int group)
    {
        var shape = new Linear4BitShape(inFeatures, outFeatures, group);
        LayerData data = LayerData.Random(shape, seed: 8);
        Half[] offsets = Offsets(shape, 9);
        const int Rows = 37;
        float[] x = LayerData.RandomInput(Rows * inFeatures, seed: 10, InputKind.Centred);
        using var affine = Linear4Bit.Create(inFeatures, outFeatures, group, data.Weight, data.Scales, data.Bias, offsets, precision: Linear4BitPrecision.Int8Activations);
        using var plain = new Linear4Bit(inFeatures, outFeatures, group, data.Weight, data.Scales, data.Bias, Linear4BitPrecision.Int8Activations);
        double[] part = Linear4BitReference.Forward(shape, data.Weight, new Half[data.Scales.Length], [], x, offsets);
        double[] magnitude = Magnitude(shape, data, offsets, x);
        float[] y = ThreadChecks.Run(affine, x), without = ThreadChecks.Run(plain, x);
        for (int i = 0; i < y.Length; i++)
        {
            Assert.True(Math.Abs(y[i] - (without[i] + part[i])) <= Tolerance * magnitude[i], $"output {i}: {y[i]} instead of {without[i] + part[i]}");
        }

        // The same bits on every kernel, and for a row alone.
        foreach (KernelIsa isa in Enum.GetValues<KernelIsa>())
        {
            using Linear4Bit? clone = affine.CloneFor(isa);
            if (clone is not null)
            {
                Assert.Equal(y, ThreadChecks.Run(clone, x));
                Assert.Equal(y[((Rows - 1) * outFeatures)..], ThreadChecks.Run(clone, x.AsSpan((Rows - 1) * inFeatures)));
            }
        }
    }

    [Fact]
    public void ThreadsChangeNothingAndACallAllocatesNothing()
    {
        var shape = new Linear4BitShape(1024, 1000, 64);
        LayerData data = LayerData.Random(shape, seed: 11);
        using var layer = Linear4Bit.Create(1024, 1000, 64, data.Weight, data.Scales, data.Bias, Offsets(shape, 12));
        ThreadChecks.AssertThreadsChangeNothingAndACallAllocatesNothing(layer, seed: 13);
    }

    [Fact]
    public unsafe void NothingOutsideIsRead()
    {
        foreach (Linear4BitShape shape in (Linear4BitShape[])[new(72, 37, 32), new(64, 16, 32), new(10, 3, 4)])
        {
            foreach (GuardSide side in Enum.GetValues<GuardSide>())
            {
                const int Rows = 5;
                using var x = new GuardedMemory<float>(LayerData.RandomInput(Rows * shape.In, seed: 14, InputKind.Centred), side);
                using var sums = new GuardedMemory<float>(Rows * shape.Groups, side);
                using var offsets = new GuardedMemory<short>((shape.Out + 15) / 16 * 16 * shape.Groups, side);
                using var y = new GuardedMemory<float>(Rows * shape.Out, side);
                y.Span.Clear();
                offsets.Span.Fill(0x3C00); // One.
                var call = new KernelCall(x.Pointer, y.Pointer, Rows, null, null, null, offsets.Pointer, sums.Pointer);
                GroupOffsets.Sum(call, shape, 0, 2);
                GroupOffsets.Sum(call, shape, 2, Rows);
                GroupOffsets.Add(call, shape, 0, (shape.Out + 15) / 16);
                y.CheckCanaries();
                sums.CheckCanaries();
                for (int row = 0; row < Rows; row++)
                {
                    double expected = 0;
                    foreach (float value in x.Span.Slice(row * shape.In, shape.In))
                    {
                        expected += value;
                    }

                    foreach (float value in y.Span.Slice(row * shape.Out, shape.Out))
                    {
                        Assert.Equal(expected, value, 1e-4);
                    }
                }
            }
        }
    }

    [Fact]
    public void ADeclaredLayerLoadsWhatItWasSavedAs()
    {
        var shape = new Linear4BitShape(72, 37, 32);
        LayerData data = LayerData.Random(shape, seed: 15);
        Half[] offsets = Offsets(shape, 16);
        float[] x = LayerData.RandomInput(3 * 72, seed: 17, InputKind.Centred);
        using var made = new AffineLayer(data.Weight, data.Scales, offsets, data.Bias);
        Assert.True(made.Kernel.IsGenerated);
        Assert.Contains(", affine, bias, ", made.ToString(), StringComparison.Ordinal);
        using var folder = new TemporaryFolder();
        made.Save(folder["a.safetensors"], "layer");
        using SafetensorsFile file = SafetensorsFile.Open(folder["a.safetensors"]);
        using AffineLayer loaded = AffineLayer.Load(file, "layer");
        using Linear4Bit generic = Linear4Bit.Load(file, "layer");
        using Linear4Bit clone = loaded.Clone();
        Assert.True(generic.IsAffine && clone.IsAffine);
        Assert.Equal(ThreadChecks.Run(made, x), ThreadChecks.Run(loaded, x));
        Assert.Equal(ThreadChecks.Run(made, x), ThreadChecks.Run(generic, x));
        Assert.Equal(ThreadChecks.Run(made, x), ThreadChecks.Run(clone, x));
        var copied = new Half[offsets.Length];
        generic.CopyOffsets4Bit(copied);
        Assert.Equal(offsets, copied);
        using var withoutBias = new AffineLayerWithoutBias(data.Weight, data.Scales, offsets);
        Assert.False(withoutBias.HasBias);
    }

    [Fact]
    [Trait(Emulated.Trait, Emulated.Never)] // The compiler takes minutes there, and nothing here depends on the processor.
    public void WhatIsNotAsDeclaredIsAnErrorThatSaysWhatToWrite()
    {
        LayerData data = LayerData.Random(new Linear4BitShape(72, 37, 32), seed: 18);
        using var plain = new Linear4Bit(72, 37, 32, data.Weight, data.Scales, data.Bias);
        Dictionary<string, WeightTensor> tensors = plain.ToTensors("p");
        string message = Assert.Throws<WeightFormatException>(() => AffineLayer.LoadDirect(tensors, "p")).Message;
        Assert.Contains("'p.offsets_4bit'", message, StringComparison.Ordinal);
        Assert.Contains("The attribute declares affine weights; to load this file, write [Linear4Bit(In = 72, Out = 37, ", message, StringComparison.Ordinal);
        Assert.DoesNotContain("Affine = true", message, StringComparison.Ordinal);

        using var affine = new AffineLayer(data.Weight, data.Scales, Offsets(data.Shape, 19), data.Bias);
        Dictionary<string, WeightTensor> withOffsets = affine.ToTensors("p");
        HarnessResult program = GeneratorHarness.Run("using Q4Gen; [Linear4Bit(In = 72, Out = 37, Group = 32, Bias = true)] public partial class Plain;");
        using LoadedProgram loaded = program.Load();
        Exception error = Assert.ThrowsAny<Exception>(() => loaded.Call("Plain", "LoadDirect", withOffsets, "p"));
        Assert.Contains("Affine = true, Bias = true", (error.InnerException ?? error).Message, StringComparison.Ordinal);

        withOffsets["p.offsets_4bit"] = WeightTensor.FromHalf(new Half[37], 37, 1);
        Assert.Contains("F16 [37, 3] is expected", Assert.Throws<WeightFormatException>(() => AffineLayer.LoadDirect(withOffsets, "p")).Message, StringComparison.Ordinal);
        withOffsets["p.offsets_4bit"] = WeightTensor.FromHalf([.. Enumerable.Repeat(Half.NaN, 111)], 37, 3);
        Assert.Contains("NaN at row 0, group 0, but offsets are finite", Assert.Throws<WeightFormatException>(() => AffineLayer.LoadDirect(withOffsets, "p")).Message, StringComparison.Ordinal);
        Assert.Contains("has 110 offsets", Assert.Throws<ArgumentException>("offsets4Bit", () =>
            Linear4Bit.Create(72, 37, 32, data.Weight, data.Scales, offsets4Bit: new Half[110])).Message, StringComparison.Ordinal);
        Assert.Contains("give 111 values", Assert.Throws<ArgumentException>(() => new AffineLayer(data.Weight, data.Scales, [], data.Bias)).Message, StringComparison.Ordinal);
    }

    /// <summary>What the quantiser writes with offsets is what a layer loads, and is nearer to the matrix than without them.</summary>
    [Fact]
    [Trait(Emulated.Trait, Emulated.Never)] // The search takes long there, and nothing of it depends on the processor.
    public void AModelQuantisedWithOffsetsLoads()
    {
        var random = new Random(22);
        float[] matrix = [.. Enumerable.Range(0, 48 * 128).Select(_ => random.NextSingle() + 0.5f)];
        float[] x = LayerData.RandomInput(4 * 128, seed: 23, InputKind.Centred);
        var trained = new TensorDictionary(new Dictionary<string, WeightTensor> { ["up.weight"] = WeightTensor.FromSingle(matrix, 48, 128) });
        double[] errors =
        [
            .. new[] { false, true }.Select(affine =>
            {
                TensorDictionary quantized = Linear4BitQuantizer.QuantizeModel(
                    trained, new QuantizationOptions { Group = 32, Affine = affine, Method = QuantizationMethod.Search }, static _ => true, TestContext.Current.CancellationToken);
                using Linear4Bit layer = Linear4Bit.Load(quantized, "up");
                Assert.Equal(affine, layer.IsAffine);
                float[] y = ThreadChecks.Run(layer, x);
                double error = 0;
                for (int i = 0; i < y.Length; i++)
                {
                    double exact = 0;
                    for (int k = 0; k < 128; k++)
                    {
                        exact += (double)matrix[i % 48 * 128 + k] * x[i / 48 * 128 + k];
                    }

                    error += (y[i] - exact) * (y[i] - exact);
                }

                return Math.Sqrt(error);
            }),
        ];
        Assert.True(errors[1] < errors[0] / 2, $"With offsets {errors[1]}, without {errors[0]}.");
    }

    internal static Half[] Offsets(Linear4BitShape shape, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, (int)shape.ScaleCount).Select(i => i % 7 == 0 ? Half.Zero : (Half)(random.NextSingle() * 0.1f - 0.05f))];
    }

    /// <summary>The sum of the magnitudes of what an output is the sum of.</summary>
    internal static double[] Magnitude(Linear4BitShape shape, LayerData data, Half[] offsets, float[] x)
    {
        float[] weights = Linear4BitReference.Dequantize(shape, data.Weight, data.Scales);
        var sums = new double[x.Length / shape.In * shape.Out];
        for (int i = 0; i < sums.Length; i++)
        {
            (int row, int output) = Math.DivRem(i, shape.Out);
            sums[i] = data.Bias.Length == 0 ? 0 : Math.Abs(data.Bias[output]);
            for (int k = 0; k < shape.In; k++)
            {
                double weight = Math.Abs(weights[output * shape.In + k]) + Math.Abs((double)offsets[output * shape.Groups + k / shape.Group]);
                sums[i] += Math.Abs(x[row * shape.In + k]) * weight;
            }
        }

        return sums;
    }
}
