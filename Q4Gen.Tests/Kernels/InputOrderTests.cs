using Q4Gen.Kernels;
using Q4Gen.Tests.Runtime;

namespace Q4Gen.Tests.Kernels;

/// <summary>A model that says nothing of an order.</summary>
internal sealed partial class OrderedModel
{
    /// <summary>Its layer.</summary>
    [Linear4Bit(In = 72, Out = 37, Group = 32, Affine = true, Bias = true)]
    public partial Linear4Bit Up { get; }
}

/// <summary>
/// Layers whose columns are in another order than input features: on every kernel, with and without offsets, and how the
/// order is loaded and kept.
/// </summary>
public class InputOrderTests
{
    private const double Tolerance = 1e-6;

    public static TheoryData<int, int, int, bool> Shapes()
    {
        var shapes = new TheoryData<int, int, int, bool>();
        foreach ((int inFeatures, int outFeatures, int group) in new[] { (2, 1, 1), (12, 17, 6), (172, 37, 64), (130, 33, 64), (656, 17, 328), (72, 37, 32), (256, 48, 16) })
        {
            shapes.Add(inFeatures, outFeatures, group, false);
            shapes.Add(inFeatures, outFeatures, group, true);
        }

        return shapes;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void EveryKernelTakesIt(int inFeatures, int outFeatures, int group, bool affine)
    {
        var shape = new Linear4BitShape(inFeatures, outFeatures, group);
        LayerData data = LayerData.Random(shape, seed: 31);
        Half[] offsets = affine ? AffineTests.Offsets(shape, 32) : [];
        int[] order = Order(inFeatures, 33);
        float[] x = LayerData.RandomInput(33 * inFeatures, seed: 34, InputKind.Centred);
        double[] expected = Linear4BitReference.Forward(shape, data.Weight, data.Scales, data.Bias, x, offsets, order);
        double[] magnitude = AffineTests.Magnitude(shape, data, affine ? offsets : new Half[shape.ScaleCount], Gathered(x, order));
        foreach (Linear4BitPrecision precision in Enum.GetValues<Linear4BitPrecision>())
        {
            using var layer = Linear4Bit.Create(inFeatures, outFeatures, group, data.Weight, data.Scales, data.Bias, offsets, order, precision);
            using var plain = Linear4Bit.Create(inFeatures, outFeatures, group, data.Weight, data.Scales, data.Bias, offsets, precision: precision);
            Assert.True(layer.HasInputOrder && !plain.HasInputOrder);
            foreach (KernelIsa isa in Enum.GetValues<KernelIsa>())
            {
                using Linear4Bit? clone = layer.CloneFor(isa);
                using Linear4Bit? other = plain.CloneFor(isa);
                foreach (int rows in clone is null ? [] : (int[])[1, 5, 33])
                {
                    // To the last bit what the kernel gives for x in the order of columns.
                    float[] y = ThreadChecks.Run(clone!, x.AsSpan(0, rows * inFeatures));
                    Assert.Equal(ThreadChecks.Run(other!, Gathered(x, order).AsSpan(0, rows * inFeatures)), y);
                    for (int i = 0; i < y.Length && precision == Linear4BitPrecision.Exact; i++)
                    {
                        Assert.True(Math.Abs(y[i] - expected[i]) <= Tolerance * magnitude[i], $"{clone!.Kernel}, {rows} rows, output {i}: {y[i]} instead of {expected[i]}");
                    }
                }
            }

            var unpacked = new float[expected.Length];
            layer.ForwardUnpack(x, unpacked);
            Assert.All(unpacked.Zip(expected, magnitude), item => Assert.True(Math.Abs(item.First - item.Second) <= Tolerance * item.Third));
        }
    }

    /// <summary>The generic kernels take all rows at once, but x in order only some of them at a time.</summary>
    [Fact]
    public void ManyRowsAreTakenInBlocks()
    {
        var shape = new Linear4BitShape(4096, 3, 64);
        LayerData data = LayerData.Random(shape, seed: 35);
        int[] order = Order(shape.In, 36);
        float[] x = LayerData.RandomInput(270 * shape.In, seed: 37, InputKind.Centred);
        using var layer = Linear4Bit.Create(shape.In, shape.Out, shape.Group, data.Weight, data.Scales, data.Bias, AffineTests.Offsets(shape, 38), order);
        using var plain = Linear4Bit.Create(shape.In, shape.Out, shape.Group, data.Weight, data.Scales, data.Bias, AffineTests.Offsets(shape, 38));
        float[] expected = ThreadChecks.Run(plain, Gathered(x, order)), y = ThreadChecks.Run(layer, x);
        Assert.All(y.Zip(expected), static item => Assert.Equal(item.Second, item.First, 1e-4f));
    }

    [Fact]
    public void ThreadsChangeNothingAndACallAllocatesNothing()
    {
        var shape = new Linear4BitShape(1024, 1000, 64);
        LayerData data = LayerData.Random(shape, seed: 39);
        using var layer = Linear4Bit.Create(1024, 1000, 64, data.Weight, data.Scales, data.Bias, AffineTests.Offsets(shape, 40), Order(1024, 41));
        ThreadChecks.AssertThreadsChangeNothingAndACallAllocatesNothing(layer, seed: 42);
    }

    [Fact]
    public async Task CallersDoNotDisturbEachOther()
    {
        var shape = new Linear4BitShape(256, 100, 64);
        LayerData data = LayerData.Random(shape, seed: 43);
        using var layer = Linear4Bit.Create(256, 100, 64, data.Weight, data.Scales, order4Bit: Order(256, 44));
        await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Task.Run(() =>
        {
            float[] x = LayerData.RandomInput(20 * 256, seed: 45 + i, InputKind.Centred);
            float[] first = ThreadChecks.Run(layer, x);
            for (int call = 0; call < 20; call++)
            {
                Assert.Equal(first, ThreadChecks.Run(layer, x));
            }
        })));
    }

    [Fact]
    public unsafe void NothingOutsideIsRead()
    {
        foreach (int columns in (int[])[2, 10, 72])
        {
            foreach (GuardSide side in Enum.GetValues<GuardSide>())
            {
                const int Rows = 5;
                float[] values = LayerData.RandomInput(Rows * columns, seed: 46, InputKind.Centred);
                using var x = new GuardedMemory<float>(values, side);
                using var order = new GuardedMemory<int>(Order(columns, 47), side);
                using var target = new GuardedMemory<float>(Rows * columns, side);
                var call = new KernelCall(x.Pointer, null, Rows, null, null, null, order: order.Pointer);
                InputOrder.Gather(call, columns, target.Pointer, 0, 2);
                InputOrder.Gather(call, columns, target.Pointer, 2, Rows);
                target.CheckCanaries();
                Assert.Equal(Gathered(values, order.Span), target.Span.ToArray());
            }
        }
    }

    [Fact]
    public void AnyLayerLoadsWhatItWasSavedAs()
    {
        var shape = new Linear4BitShape(72, 37, 32);
        LayerData data = LayerData.Random(shape, seed: 48);
        Half[] offsets = AffineTests.Offsets(shape, 49);
        int[] order = Order(72, 50);
        float[] x = LayerData.RandomInput(3 * 72, seed: 51, InputKind.Centred);
        using var made = new AffineLayer(data.Weight, data.Scales, offsets, data.Bias, order);
        Assert.True(made.Kernel.IsGenerated && made.HasInputOrder);
        Assert.Contains(", affine, input order, bias, ", made.ToString(), StringComparison.Ordinal);
        using var without = new AffineLayer(data.Weight, data.Scales, offsets, data.Bias);
        Assert.Equal(without.ByteLength + 320, made.ByteLength);
        using var folder = new TemporaryFolder();
        made.Save(folder["a.safetensors"], "layer");
        using SafetensorsFile file = SafetensorsFile.Open(folder["a.safetensors"]);
        Assert.True(file.TryGet("layer.order_4bit", out WeightTensor? tensor));
        Assert.Equal("I32 [72]", tensor.ToString());
        using AffineLayer loaded = AffineLayer.Load(file, "layer");
        using Linear4Bit generic = Linear4Bit.Load(file, "layer");
        using Linear4Bit direct = Linear4Bit.LoadDirect(generic.ToTensors("again"), "again", 32);
        using Linear4Bit clone = loaded.Clone();
        var model = new OrderedModel();
        model.Load(new TensorDictionary(generic.ToTensors("up")));
        using Linear4Bit property = model.Up;
        foreach (Linear4Bit layer in (Linear4Bit[])[loaded, generic, direct, clone, property])
        {
            Assert.True(layer.HasInputOrder);
            Assert.Equal(ThreadChecks.Run(made, x), ThreadChecks.Run(layer, x));
            var copied = new int[72];
            layer.CopyOrder4Bit(copied);
            Assert.Equal(order, copied);
        }

        Assert.Throws<ArgumentException>(() => made.CopyOrder4Bit(new int[71]));
    }

    [Fact]
    public void AnOrderThatChangesNothingIsNone()
    {
        LayerData data = LayerData.Random(new Linear4BitShape(72, 37, 32), seed: 52);
        int[] inOrder = [.. Enumerable.Range(0, 72)];
        using var layer = Linear4Bit.Create(72, 37, 32, data.Weight, data.Scales, data.Bias, order4Bit: inOrder);
        Assert.False(layer.HasInputOrder);
        Dictionary<string, WeightTensor> tensors = layer.ToTensors("p");
        Assert.DoesNotContain("p.order_4bit", tensors.Keys);
        tensors["p.order_4bit"] = WeightTensor.FromInt32(inOrder, 72);
        using Linear4Bit loaded = Linear4Bit.LoadDirect(tensors, "p", 32);
        Assert.False(loaded.HasInputOrder);
        var copied = new int[72];
        loaded.CopyOrder4Bit(copied);
        Assert.Equal(inOrder, copied);
    }

    [Fact]
    public void WhatIsNoOrderIsAnErrorThatSaysWhy()
    {
        LayerData data = LayerData.Random(new Linear4BitShape(72, 37, 32), seed: 53);
        int[] order = Order(72, 54);
        int[] twice = [.. order], beyond = [.. order], negative = [.. order];
        twice[9] = order[3];
        beyond[5] = 72;
        negative[5] = -1;
        using var plain = new Linear4Bit(72, 37, 32, data.Weight, data.Scales, data.Bias);
        Dictionary<string, WeightTensor> tensors = plain.ToTensors("p");
        foreach ((int[] wrong, string reason) in new[]
                 {
                     (twice, $"names input feature {order[3]} twice, at columns 3 and 9, but each of 72 must be there once"),
                     (beyond, "names input feature 72 at column 5, but features are 0 to 71"),
                     (negative, "names input feature -1 at column 5, but features are 0 to 71"),
                 })
        {
            tensors["p.order_4bit"] = WeightTensor.FromInt32(wrong, 72);
            string message = Assert.Throws<WeightFormatException>(() => Linear4Bit.LoadDirect(tensors, "p", 32)).Message;
            Assert.Contains($": tensor 'p.order_4bit' {reason}; ", message, StringComparison.Ordinal);
            Assert.Contains($"order4Bit {reason}.", Assert.Throws<ArgumentException>("order4Bit", () =>
                Linear4Bit.Create(72, 37, 32, data.Weight, data.Scales, order4Bit: wrong)).Message, StringComparison.Ordinal);
        }

        foreach (WeightTensor wrong in (WeightTensor[])[WeightTensor.FromInt32(order.AsSpan(1), 71), WeightTensor.FromInt32(order, 36, 2), WeightTensor.FromSingle(new float[72], 72)])
        {
            tensors["p.order_4bit"] = wrong;
            Assert.Contains($"tensor 'p.order_4bit' is {wrong}, but I32 [72] is expected beside 'p.weight_4bit'", Assert.Throws<WeightFormatException>(() =>
                Linear4Bit.LoadDirect(tensors, "p", 32)).Message, StringComparison.Ordinal);
        }

        Assert.Contains("has 71 elements, but [in = 72]", Assert.Throws<ArgumentException>("order4Bit", () =>
            Linear4Bit.Create(72, 37, 32, data.Weight, data.Scales, order4Bit: order.AsSpan(1))).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>("order4Bit", () => Linear4BitReference.Forward(data.Shape, data.Weight, data.Scales, data.Bias, new float[72], order4Bit: order.AsSpan(1)));
    }

    [Fact]
    public void AMatrixBesideAnOrderIsNotQuantised()
    {
        var model = new TensorDictionary(
            new Dictionary<string, WeightTensor> { ["a.weight"] = WeightTensor.FromSingle(new float[64], 2, 32), ["a.order_4bit"] = WeightTensor.FromInt32(Order(32, 55), 32) });
        Assert.Contains("'a.order_4bit' already", Assert.Throws<WeightFormatException>(() =>
            Linear4BitQuantizer.QuantizeModel(model, 32, static _ => true, ct: TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);
    }

    /// <summary>Any order of columns.</summary>
    internal static int[] Order(int columns, int seed)
    {
        int[] order = [.. Enumerable.Range(0, columns)];
        new Random(seed).Shuffle(order);
        if (columns > 1 && InputOrder.IsIdentity(order))
        {
            (order[0], order[1]) = (order[1], order[0]);
        }

        return order;
    }

    /// <summary>Rows of x in the order of columns.</summary>
    internal static float[] Gathered(float[] x, ReadOnlySpan<int> order)
    {
        var gathered = new float[x.Length];
        for (int i = 0; i < x.Length; i++)
        {
            gathered[i] = x[i / order.Length * order.Length + order[i % order.Length]];
        }

        return gathered;
    }
}
