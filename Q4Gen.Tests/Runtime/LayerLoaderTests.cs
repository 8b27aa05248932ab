using CsCheck;
using Q4Gen.Kernels;
using Q4Gen.Loading;
using static Q4Gen.Tests.Runtime.SafetensorsTestFiles;

namespace Q4Gen.Tests.Runtime;

public class LayerLoaderTests
{
    [Fact]
    public void LoadsWhatWasWrittenFromEverySource()
    {
        using var folder = new TemporaryFolder();
        Gen.Select(Gen.Int[1, 150], Gen.Int[1, 70], Gen.OneOf(Gen.Const(32), Gen.Const(64), Gen.Int[1, 300]), Gen.Bool, Gen.Bool)
            .Sample((halfIn, outFeatures, group, bias, root) =>
            {
                string prefix = root ? "" : "model.layers.0.mlp.gate_proj";
                Dictionary<string, WeightTensor> tensors = Layer(prefix, halfIn * 2, outFeatures, group, bias, seed: halfIn + outFeatures);
                SafetensorsWriter.Write(folder["f"], tensors, SafetensorsWriter.DescribeGroup(group));
                using SafetensorsFile mapped = SafetensorsFile.Open(folder["f"]);
                using SafetensorsFile memory = SafetensorsFile.FromMemory(File.ReadAllBytes(folder["f"]), "memory");
                foreach (IWeightSource source in new IWeightSource[] { mapped, memory, new TensorDictionary(tensors) })
                {
                    using Linear4Bit layer = Linear4Bit.Load(source, prefix, group);
                    AssertHolds(layer, tensors, prefix, group, bias);
                }
            }, seed: "0000KOIPe5R5", iter: 60, threads: 1);
    }

    [Fact]
    public void LoadsALayerThatTakesSeveralProcessors()
    {
        // Chunks of whole panels, the last one ragged.
        using var folder = new TemporaryFolder();
        Dictionary<string, WeightTensor> tensors = Layer("p", 2056, 5003, 128, bias: true);
        SafetensorsWriter.Write(folder["f"], tensors);
        using SafetensorsFile file = SafetensorsFile.Open(folder["f"]);
        using Linear4Bit layer = Linear4Bit.Load(file, "p", 128);
        AssertHolds(layer, tensors, "p", 128, bias: true);
    }

    // In, scales a row, group_size in the metadata, said by the caller; the group of the layer.
    [Theory]
    [InlineData(4096, 32, null, null, 128)]
    [InlineData(4096, 64, null, null, 64)]
    [InlineData(4096, 16, null, null, 256)]
    [InlineData(4096, 8, null, null, 512)]
    [InlineData(40, 5, null, null, 8)]
    [InlineData(172, 3, null, null, 64)]
    [InlineData(172, 6, null, null, 32)]
    [InlineData(172, 1, null, null, 172)]
    [InlineData(96, 1, null, null, 96)]
    [InlineData(288, 3, "128", null, 128)]
    [InlineData(288, 3, "96", null, 96)]
    [InlineData(288, 3, null, 128, 128)]
    [InlineData(288, 3, null, 96, 96)]
    [InlineData(96, 1, "128", null, 128)]
    [InlineData(96, 1, "128", 256, 256)]
    [InlineData(172, 3, "64", 64, 64)]
    [InlineData(172, 3, "60", null, 60)]
    [InlineData(172, 3, null, 58, 58)]
    public void TakesTheGroup(int inFeatures, int groups, string? recorded, int? said, int expected)
    {
        using Linear4Bit layer = Linear4Bit.Load(WithGroups(inFeatures, groups, recorded), "p", said);
        Assert.Equal(expected, layer.Group);
    }

    [Theory]
    [InlineData(288, 3, null, null, "group sizes 96 and 128 both give, and the source records no group_size; say which it is with the argument 'group'")]
    [InlineData(192, 2, null, null, "group sizes 96 and 128 both give")]
    [InlineData(200, 3, null, null, "which no usual group size gives")]
    [InlineData(288, 3, "64", null, "but group_size 64, which the source records, gives 5 groups of In = 288")]
    [InlineData(288, 3, "96", 128, "records group_size 96, which contradicts the group that was asked for, 128")]
    [InlineData(4096, 32, null, 64, "is F16 [16, 32], but the group that was asked for, 64, gives 64 groups of In = 4096; leave the argument 'group' out")]
    [InlineData(4096, 32, "0", null, "records group_size '0', but a positive whole number is expected")]
    [InlineData(4096, 32, "-128", null, "records group_size '-128'")]
    [InlineData(4096, 32, "128.0", null, "records group_size '128.0'")]
    [InlineData(4096, 32, "99999999999", null, "records group_size '99999999999'")]
    [InlineData(4096, 32, " 128", null, "records group_size ' 128'")]
    public void NeverGuessesAGroup(int inFeatures, int groups, string? recorded, int? said, string reason)
    {
        string message = Rejected(WithGroups(inFeatures, groups, recorded), "p", said);
        Assert.StartsWith("made: ", message);
        Assert.Contains(reason, message);
    }

    [Fact]
    public void RejectsWrongTypesAndShapes()
    {
        Replaced("weight_4bit", Tensor(TensorType.I8, 16, 32), "tensor 'p.weight_4bit' is I8 [16, 32], but U8 [out, in/2]");
        Replaced("weight_4bit", Tensor(TensorType.U8, 512), "tensor 'p.weight_4bit' is U8 [512], but U8 [out, in/2]");
        Replaced("weight_4bit", Tensor(TensorType.U8, 0, 32), "tensor 'p.weight_4bit' is U8 [0, 32], but");
        Replaced("weight_4bit", Tensor(TensorType.U8, 16, 0), "tensor 'p.weight_4bit' is U8 [16, 0], but");
        Replaced("weight_4bit", Tensor(TensorType.U8, 1, 20_000_000), "tensor 'p.weight_4bit' is U8 [1, 20000000], but U8 [out, in/2] with 1 to 33554432 features");
        Replaced("weight_4bit", Tensor(TensorType.U8, 40_000_000, 1), "tensor 'p.weight_4bit' is U8 [40000000, 1], but");
        Replaced("weight_4bit", Tensor(TensorType.U8, 15, 32), "tensor 'p.scales_4bit' is F16 [16, 2], but F16 [15, groups] with 1 to 64 groups is expected beside 'p.weight_4bit' U8 [15, 32]");
        Replaced("scales_4bit", Tensor(TensorType.BF16, 16, 2), "tensor 'p.scales_4bit' is BF16 [16, 2], but F16 [16, groups]");
        Replaced("scales_4bit", Tensor(TensorType.F16, 32), "tensor 'p.scales_4bit' is F16 [32], but");
        Replaced("scales_4bit", Tensor(TensorType.F16, 16, 0), "tensor 'p.scales_4bit' is F16 [16, 0], but");
        Replaced("scales_4bit", Tensor(TensorType.F16, 16, 65), "tensor 'p.scales_4bit' is F16 [16, 65], but F16 [16, groups] with 1 to 64 groups");
        Replaced("bias", Tensor(TensorType.F32, 15), "tensor 'p.bias' is F32 [15], but F32, F16 or BF16 [16] is expected");
        Replaced("bias", Tensor(TensorType.F32, 16, 1), "tensor 'p.bias' is F32 [16, 1], but");
        Replaced("bias", Tensor(TensorType.F64, 16), "tensor 'p.bias' is F64 [16], but");

        static void Replaced(string suffix, WeightTensor tensor, string reason)
        {
            Dictionary<string, WeightTensor> tensors = Layer("p", 64, 16, 32, bias: true);
            tensors["p." + suffix] = tensor;
            string message = Rejected(Source(tensors), "p", null);
            Assert.StartsWith("made: ", message);
            Assert.Contains(reason, message);
        }
    }

    [Theory]
    [InlineData(0x7e00, 0, "NaN at row 0, group 0")]
    [InlineData(0xfe01, 35, "NaN at row 17, group 1")]
    [InlineData(0x7c00, 46, "+infinity at row 23, group 0")]
    [InlineData(0xfc00, 47, "-infinity at row 23, group 1")]
    public void RejectsScalesThatAreNotFinite(int bits, int index, string reason)
    {
        Dictionary<string, WeightTensor> tensors = Layer("p", 64, 24, 32);
        var scales = new Half[48];
        scales[index] = BitConverter.UInt16BitsToHalf((ushort)bits);
        tensors["p.scales_4bit"] = WeightTensor.FromHalf(scales, 24, 2);
        Assert.Contains($"tensor 'p.scales_4bit' holds {reason}, but scales are finite", Rejected(Source(tensors), "p", null));
    }

    [Fact]
    public void NamesTheRowOfABadScaleDeepInALargeTensor()
    {
        var scales = new Half[3001 * 512];
        scales[^2] = Half.NaN;
        Dictionary<string, WeightTensor> tensors = new()
        {
            ["weight_4bit"] = Tensor(TensorType.U8, 3001, 2048),
            ["scales_4bit"] = WeightTensor.FromHalf(scales, 3001, 512),
        };
        Assert.Contains("NaN at row 3000, group 510", Rejected(Source(tensors), "", null));
    }

    [Fact]
    public void ReadsABiasOfEveryFloatTypeAndOnlyFiniteOnes()
    {
        float[] values = [.. Enumerable.Range(0, 20).Select(i => (i - 10) * 0.25f)];
        byte[] upper = new byte[40];
        Buffer.BlockCopy(values.Select(value => (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16)).ToArray(), 0, upper, 0, 40);
        foreach (WeightTensor bias in new[]
        {
            WeightTensor.FromSingle(values, 20),
            WeightTensor.FromHalf([.. values.Select(value => (Half)value)], 20),
            new WeightTensor(TensorType.BF16, [20], upper),
        })
        {
            Dictionary<string, WeightTensor> tensors = Layer("p", 64, 20, 32);
            tensors["p.bias"] = bias;
            using Linear4Bit layer = Linear4Bit.Load(Source(tensors), "p");
            float[] read = new float[20];
            layer.CopyBias(read);
            Assert.Equal(values, read);
        }

        values[13] = float.NegativeInfinity;
        Dictionary<string, WeightTensor> infinite = Layer("p", 64, 20, 32);
        infinite["p.bias"] = WeightTensor.FromSingle(values, 20);
        Assert.Contains("tensor 'p.bias' holds -infinity at row 13, but biases are finite", Rejected(Source(infinite), "p", null));
    }

    [Fact]
    public void NamesTheNearestTensorsWhereOneIsMissing()
    {
        var tensors = Enumerable.Range(0, 12)
            .SelectMany(i => Layer($"model.layers.{i}.mlp.gate_proj", 64, 16, 32).Concat(Layer($"model.layers.{i}.mlp.up_proj", 64, 16, 32)))
            .ToDictionary();
        Assert.StartsWith(
            "made: has no tensor 'model.layers.3.mlp.gate_prj.weight_4bit'; the nearest of its 48 names: 'model.layers.3.mlp.gate_proj.weight_4bit', ",
            Rejected(Source(tensors), "model.layers.3.mlp.gate_prj", null));

        // The commonest mistake: a prefix that is missing, or one too many.
        Assert.Contains("names: 'model.layers.7.mlp.up_proj.weight_4bit'", Rejected(Source(tensors), "layers.7.mlp.up_proj", null));
        Assert.Contains("names: 'model.layers.7.mlp.up_proj.weight_4bit'", Rejected(Source(tensors), "transformer.model.layers.7.mlp.up_proj", null));
        Assert.Contains("its 48 names are all different, such as 'model.layers.0.", Rejected(Source(tensors), "x", null));
        Assert.Contains("has no tensor 'weight_4bit', nor any other", Rejected(Source([]), "", null));

        tensors.Remove("model.layers.3.mlp.up_proj.scales_4bit");
        Assert.Contains("has no tensor 'model.layers.3.mlp.up_proj.scales_4bit'; ", Rejected(Source(tensors), "model.layers.3.mlp.up_proj", null));

        tensors["head.weight"] = Tensor(TensorType.F16, 8, 8);
        Assert.Contains(
            "has no tensor 'head.weight_4bit', only the unquantised 'head.weight' (F16 [8, 8]); quantise it first with Linear4BitQuantizer",
            Rejected(Source(tensors), "head", null));
    }

    [Fact]
    [Trait(Kernels.Emulated.Trait, Kernels.Emulated.Never)] // Its limit is in seconds.
    public void AMissingTensorCostsLittleInAHostileSource()
    {
        WeightTensor tensor = Tensor(TensorType.U8, 1);
        var names = Enumerable.Range(0, 50_000).ToDictionary(i => new string('a', 200) + i, _ => tensor);
        names[new string('b', 10_000_000)] = tensor;
        var clock = System.Diagnostics.Stopwatch.StartNew();
        Assert.True(Rejected(Source(names), new string('a', 200), null).Length < 2_000);
        Assert.True(Rejected(Source(names), new string('c', 1_000_000), null).Length < 2_000);
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 30);
    }

    [Fact]
    public void LoadsWhatAnAttributeDeclares()
    {
        foreach (bool bias in new[] { false, true })
        {
            Dictionary<string, WeightTensor> tensors = Layer("p", 172, 37, 64, bias);
            var shape = new Linear4BitShape(172, 37, 64);
            using var layer = new Linear4Bit(KernelRegistry.Find(shape).Best, LayerLoader.Load(Source(tensors, "64"), "p", shape, bias));
            AssertHolds(layer, tensors, "p", 64, bias);
        }

        // One short group is one group, whatever its size would be.
        var wide = new Linear4BitShape(96, 16, 128);
        Discard(LayerLoader.Load(Source(Layer("p", 96, 16, 96), "256"), "p", wide, hasBias: false));
    }

    // The file's layer is 172→37 g64, without bias unless said.
    [Theory]
    [InlineData(172, 38, 64, false, false, "tensor 'p.weight_4bit' is U8 [37, 86], but the attribute's In = 172 and Out = 38 take U8 [38, 86]; to load this file, write [Linear4Bit(In = 172, Out = 37, Group = 64)].")]
    [InlineData(37, 172, 64, false, true, null)]
    [InlineData(176, 37, 64, false, true, "take U8 [37, 88]; to load this file, write [Linear4Bit(In = 172, Out = 37, Group = 64, Bias = true)].")]
    [InlineData(172, 37, 128, false, false, "tensor 'p.scales_4bit' is F16 [37, 3], but the attribute's In = 172 and Group = 128 take F16 [37, 2]; to load this file, write [Linear4Bit(In = 172, Out = 37, Group = 64)].")]
    [InlineData(172, 37, 58, false, false, "records group_size 64, which contradicts the attribute's Group, 58, for 'p.weight_4bit' U8 [37, 86]; to load this file, write [Linear4Bit(In = 172, Out = 37, Group = 64)].")]
    [InlineData(172, 37, 64, false, true, "tensor 'p.bias' is F32 [37], but the attribute declares no bias; to load this file, write [Linear4Bit(In = 172, Out = 37, Group = 64, Bias = true)].")]
    [InlineData(172, 37, 64, true, false, "has no tensor 'p.bias'; ")]
    [InlineData(172, 37, 64, true, false, "The attribute declares a bias; to load this file, write [Linear4Bit(In = 172, Out = 37, Group = 64)].")]
    public void SaysWhichAttributeWouldFit(int inFeatures, int outFeatures, int group, bool declaresBias, bool hasBias, string? reason)
    {
        var shape = new Linear4BitShape(inFeatures, outFeatures, group);
        IWeightSource source = Source(Layer("p", 172, 37, 64, hasBias), "64");
        if (inFeatures % 2 != 0)
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => LayerLoader.Load(source, "p", shape, declaresBias));
            return;
        }

        string message = Assert.Throws<WeightFormatException>(() => LayerLoader.Load(source, "p", shape, declaresBias)).Message;
        Assert.StartsWith("made: ", message);
        Assert.Contains(reason!, message);
    }

    [Fact]
    public void SaysWhatItKnowsWhereTheGroupIsOpen() =>
        Assert.EndsWith(
            "write [Linear4Bit(In = 288, Out = 16, Group = …)] with the group size that gives 3 groups.",
            Assert.Throws<WeightFormatException>(
                () => LayerLoader.Load(WithGroups(288, 3, null), "p", new Linear4BitShape(288, 32, 128), hasBias: false)).Message);

    [Fact]
    public void ChecksItsArguments()
    {
        IWeightSource source = Source(Layer("p", 64, 16, 32));
        Assert.Throws<ArgumentNullException>(() => Linear4Bit.Load(null!, "p"));
        Assert.Throws<ArgumentNullException>(() => Linear4Bit.Load(source, null!));
        Assert.Throws<ArgumentOutOfRangeException>(() => Linear4Bit.Load(source, "p", 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => Linear4Bit.Load(source, "p", -32));
    }

    [Fact]
    public void AFailureInTheMiddleIsOneErrorOfALargeLayerToo()
    {
        // The weights lie in a file that is gone when the chunks are read; several of them fail at once.
        SafetensorsFile gone = SafetensorsFile.FromMemory(Craft("""{"w":{"dtype":"U8","shape":[4096,1024],"data_offsets":[0,4194304]}}""", 4096 * 1024), "gone");
        Assert.True(gone.TryGet("w", out WeightTensor? weight));
        using var changing = new DisposingStorage(gone);
        Dictionary<string, WeightTensor> tensors = new()
        {
            ["p.weight_4bit"] = weight,
            ["p.scales_4bit"] = new WeightTensor(TensorType.F16, [4096, 16], changing, 0, 4096 * 16 * 2),
        };
        Assert.Throws<ObjectDisposedException>(() => Linear4Bit.Load(Source(tensors), "p"));
    }

    private static void AssertHolds(Linear4Bit layer, Dictionary<string, WeightTensor> tensors, string prefix, int group, bool bias)
    {
        Assert.Equal(group, layer.Group);
        Assert.Equal(bias, layer.HasBias);
        byte[] weight = new byte[layer.Shape.WeightBytes];
        layer.CopyWeight4Bit(weight);
        Assert.True(weight.AsSpan().SequenceEqual(tensors[Join(prefix, "weight_4bit")].AllBytes()), "weights");
        var scales = new Half[layer.Shape.ScaleCount];
        layer.CopyScales4Bit(scales);
        Assert.True(System.Runtime.InteropServices.MemoryMarshal.AsBytes<Half>(scales).SequenceEqual(tensors[Join(prefix, "scales_4bit")].AllBytes()), "scales");
        if (bias)
        {
            float[] values = new float[layer.Out];
            layer.CopyBias(values);
            Assert.Equal(tensors[Join(prefix, "bias")].ToSingleArray(), values);
        }
    }

    private static string Rejected(IWeightSource source, string prefix, int? group) =>
        Assert.Throws<WeightFormatException>(() => Linear4Bit.Load(source, prefix, group)).Message;

    private static TensorDictionary Source(Dictionary<string, WeightTensor> tensors, string? group = null) =>
        new(tensors, "made", group == null ? null : new Dictionary<string, string> { ["group_size"] = group });

    private static TensorDictionary WithGroups(int inFeatures, int groups, string? recorded) =>
        Source(new()
        {
            ["p.weight_4bit"] = Tensor(TensorType.U8, 16, inFeatures / 2),
            ["p.scales_4bit"] = Tensor(TensorType.F16, 16, groups),
        }, recorded);

    private static WeightTensor Tensor(TensorType type, params long[] shape) =>
        new(type, shape, new byte[shape.Aggregate(1L, (product, size) => product * size) * WeightTensor.ElementSize(type)]);

    private static void Discard(PackedWeights weights)
    {
        weights.AddReference();
        weights.Release();
    }

    /// <summary>Memory that disposes a file at its second reading: after the check of scales, before the packing.</summary>
    private sealed class DisposingStorage(SafetensorsFile file) : TensorStorage
    {
        private readonly byte[] _data = new byte[4096 * 16 * 2];
        private int _reads;

        public override long Length => _data.Length;

        public override ReadOnlySpan<byte> Slice(long offset, int length)
        {
            if (Interlocked.Increment(ref _reads) == 2)
            {
                file.Dispose();
            }

            return _data.AsSpan((int)offset, length);
        }

        public override void Hold()
        {
        }

        public override void Release()
        {
        }

        public override void Dispose()
        {
        }
    }
}
