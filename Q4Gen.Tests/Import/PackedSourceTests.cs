using Q4Gen.Import;
using Q4Gen.Import.Packed;
using Q4Gen.Tests.Runtime;

namespace Q4Gen.Tests.Import;

/// <summary>compressed-tensors, GPTQ, AWQ and MLX against what their weights are.</summary>
public class PackedSourceTests
{
    private const int Group = 32;

    private static readonly WeightTensor s_bias = WeightTensor.FromSingle(SafetensorsTestFiles.Randoms(24, 1), 24);

    public static TheoryData<string> Formats => ["compressed-tensors", "GPTQ v1", "GPTQ v2", "AWQ"];

    [Theory]
    [MemberData(nameof(Formats))]
    public void SymmetricLayersAreLossless(string format)
    {
        var packed = new PackedLayers(96, 24, Group, seed: 1, symmetric: true);
        using ImportSource source = Open(format, packed);
        ImportedLayer layer = Assert.Single(source.Layers);
        Assert.Equal(("a", new Linear4BitShape(96, 24, Group), false), (layer.Name, layer.Shape, layer.IsAffine));
        Assert.True(layer.IsLossless);
        Assert.Equal("32", source.Metadata["group_size"]);
        Assert.Equal(["a.bias", "a.scales_4bit", "a.weight_4bit"], source.Names.Order(StringComparer.Ordinal));
        Assert.Same(s_bias, source.Get("a.bias"));
        AssertExact(source, packed.Weight);
        ImportChecks.AssertError(layer, source.Weights("a", Group), packed.Weight);

        // Bit for bit: codes and scales are the file's.
        byte[] bytes = source.Get("a.weight_4bit").AllBytes();
        float[] scales = source.Get("a.scales_4bit").ToSingleArray();
        Assert.All(Enumerable.Range(0, bytes.Length), i => Assert.Equal(packed.Code(i / 48, i % 48 * 2) + 16 * packed.Code(i / 48, i % 48 * 2 + 1), bytes[i]));
        Assert.All(Enumerable.Range(0, scales.Length), i => Assert.Equal(packed.Scale(i / 3, i % 3), scales[i]));
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void ZeroPointsBecomeOffsets(string format)
    {
        var packed = new PackedLayers(96, 24, Group, seed: 2);
        using ImportSource source = Open(format, packed);
        ImportedLayer layer = source.Layers[0];
        Assert.True(layer.IsAffine);
        Assert.Null(layer.IsLossless);
        double[,] ours = source.Weights("a", Group);
        for (int o = 0; o < packed.Out; o++)
        {
            for (int k = 0; k < packed.In; k++)
            {
                // Half a step of F16 at (8 − zero) · scale, which is below eight scales of 0.05.
                Assert.Equal(packed.Weight(o, k), ours[o, k], 1.3e-4);
            }
        }

        ImportChecks.AssertError(layer, ours, packed.Weight);
        Assert.InRange(layer.Error!.RelativeRms, 1e-6, 1e-3);
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void ZeroPointsAreExactWhereTheirProductsFit(string format)
    {
        // Scales of seven bits: products with −7 … 8 have eleven at most.
        var packed = new PackedLayers(96, 24, Group, seed: 3) { Round = value => Math.Round(value * 1024) / 1024 };
        using ImportSource source = Open(format, packed);
        AssertExact(source, packed.Weight);
        Assert.True(source.Layers[0].IsLossless);
        ImportChecks.AssertError(source.Layers[0], source.Weights("a", Group), packed.Weight);
    }

    [Fact]
    public void ScalesInBF16AreExactAndThoseInF32AreRounded()
    {
        var upper = new PackedLayers(64, 24, Group, seed: 4, symmetric: true)
        {
            ScaleType = TensorType.BF16,
            Round = value => BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits((float)value) & 0xFFFF0000),
        };
        using ImportSource first = Open("compressed-tensors", upper);
        Assert.Null(first.Layers[0].IsLossless);
        AssertExact(first, upper.Weight);
        Assert.True(first.Layers[0].IsLossless);

        var single = new PackedLayers(64, 24, Group, seed: 5, symmetric: true) { ScaleType = TensorType.F32, Round = value => (float)value };
        using ImportSource second = Open("compressed-tensors", single);
        ImportChecks.AssertError(second.Layers[0], second.Weights("a", Group), single.Weight);
        Assert.InRange(second.Layers[0].Error!.RelativeRms, 1e-6, 1e-3);
    }

    [Fact]
    public void CompressedTensorsMayHaveRaggedRowsAndGroups()
    {
        var packed = new PackedLayers(172, 13, 64, seed: 6);
        using CompressedTensorsSource source = CompressedTensorsSource.From(new TensorDictionary(packed.CompressedTensors("a"), "made"), group: 64);
        double[,] ours = source.Weights("a", 64);
        ImportChecks.AssertError(source.Layers[0], ours, packed.Weight);
        Assert.Equal(new Linear4BitShape(172, 13, 64), source.Layers[0].Shape);
        Assert.Contains("group", ImportChecks.Rejected(() => CompressedTensorsSource.From(new TensorDictionary(packed.CompressedTensors("a"), "made"), group: 32)));
        var whole = new PackedLayers(172, 13, 172, seed: 7, symmetric: true);
        using CompressedTensorsSource channel = CompressedTensorsSource.From(new TensorDictionary(whole.CompressedTensors("a", withZeros: false), "made"));
        Assert.Equal(172, channel.Layers[0].Shape.Group);
        ImportChecks.AssertError(channel.Layers[0], channel.Weights("a", 172), whole.Weight);
        Assert.True(channel.Layers[0].IsLossless);
    }

    [Theory]
    [InlineData(TensorType.F16)]
    [InlineData(TensorType.BF16)]
    [InlineData(TensorType.F32)]
    public void MlxIsAffine(TensorType type)
    {
        var packed = new PackedLayers(128, 10, 64, seed: 8)
        {
            ScaleType = type,
            Round = type switch
            {
                TensorType.F16 => value => (double)(Half)value,
                TensorType.BF16 => value => BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits((float)value) & 0xFFFF0000),
                _ => value => (float)value,
            },
        };
        using MlxSource source = MlxSource.From(new TensorDictionary(packed.Mlx("a"), "made"));
        double[,] ours = source.Weights("a", 64);
        ImportChecks.AssertError(source.Layers[0], ours, packed.MlxWeight);
        Assert.InRange(source.Layers[0].Error!.RelativeRms, 0, 1e-3);
        Assert.True(source.Layers[0].IsAffine);
        Assert.DoesNotContain("a.weight", source.Names);
    }

    [Fact]
    public void ColumnsInTheOrderOfTheirGroupsAreTaken()
    {
        var packed = new PackedLayers(96, 24, Group, seed: 9);
        int[] inOrder = [.. Enumerable.Range(0, 96).Select(k => k / Group)];
        using GptqSource source = GptqSource.From(new TensorDictionary(packed.Gptq("a", v1: true, inOrder), "made"), GptqFormat.V1);
        Assert.DoesNotContain("a.g_idx", source.Names);
        ImportChecks.AssertError(source.Layers[0], source.Weights("a", Group), packed.Weight);
    }

    [Fact]
    public void FoldersSayWhatTheirModelsAre()
    {
        var packed = new PackedLayers(96, 24, Group, seed: 10);
        using var folder = new TemporaryFolder();
        SafetensorsWriter.Write(folder["model.safetensors"], packed.Gptq("a", v1: false));
        Config("""{"quantization_config":{"quant_method":"gptq","bits":4,"group_size":32,"checkpoint_format":"gptq_v2"}}""");
        using (GptqSource source = GptqSource.Open(folder.Root))
        {
            ImportChecks.AssertError(source.Layers[0], source.Weights("a", Group), packed.Weight);
        }

        Rejects("""{"quantization_config":{"quant_method":"awq"}}""", "says quant_method 'awq', but only gptq is taken", () => GptqSource.Open(folder.Root));
        Rejects("""{"quantization_config":{"bits":8}}""", "says bits '8', but only 4 is taken", () => GptqSource.Open(folder.Root));
        Rejects("""{"quantization_config":{"bits":4,"group_size":64}}""", "but groups of 64", () => GptqSource.Open(folder.Root));
        Rejects("""{"quantization_config":{"version":"gemv"}}""", "says version 'gemv', but only gemm", () => AwqSource.Open(folder.Root));
        Rejects("""{"quantization_config":{"format":"marlin-24"}}""", "says format 'marlin-24'", () => CompressedTensorsSource.Open(folder.Root));
        Rejects("""{"quantization":{"bits":8}}""", "says bits '8'", () => MlxSource.Open(folder.Root));
        Rejects("[]", "holds no JSON object", () => GptqSource.Open(folder.Root));
        Rejects("{", "is not valid JSON", () => GptqSource.Open(folder.Root));

        void Config(string json) => File.WriteAllText(folder["config.json"], json);

        void Rejects(string json, string reason, Func<IDisposable> open)
        {
            Config(json);
            Assert.Contains(reason, Assert.Throws<WeightFormatException>(open).Message);
        }
    }

    [Fact]
    public void RejectsTensorsThatDoNotFit()
    {
        var packed = new PackedLayers(96, 24, Group, seed: 11);
        WeightTensor wrong = WeightTensor.FromSingle(new float[6], 2, 3);
        foreach ((Dictionary<string, WeightTensor> tensors, Func<IWeightSource, ImportSource> open) in new (Dictionary<string, WeightTensor>, Func<IWeightSource, ImportSource>)[]
                 {
                     (packed.CompressedTensors("a"), source => CompressedTensorsSource.From(source)),
                     (packed.Gptq("a", v1: true, new int[96]), source => GptqSource.From(source, GptqFormat.V1)),
                     (packed.Awq("a"), source => AwqSource.From(source)),
                     (packed.Mlx("a"), source => MlxSource.From(source)),
                 })
        {
            foreach (string name in tensors.Keys)
            {
                var changed = new Dictionary<string, WeightTensor>(tensors) { [name] = wrong };
                Assert.Contains("'a.", ImportChecks.Rejected(() => open(new TensorDictionary(changed, "made"))));
            }

            var twice = new Dictionary<string, WeightTensor>(tensors) { ["a.weight_4bit"] = wrong };
            twice.Remove("a.g_idx");
            Assert.Contains("two tensors that are named 'a.weight_4bit'", ImportChecks.Rejected(() => open(new TensorDictionary(twice, "made"))));
            Assert.Contains("has no layer of", ImportChecks.Rejected(() => open(new TensorDictionary(new Dictionary<string, WeightTensor>(), "made"))));
        }

        Dictionary<string, WeightTensor> lacking = packed.Gptq("a", v1: true);
        lacking.Remove("a.qzeros");
        Assert.Contains("has no tensor 'a.qzeros'", ImportChecks.Rejected(() => GptqSource.From(new TensorDictionary(lacking, "made"), GptqFormat.V1)));
        Dictionary<string, WeightTensor> infinite = packed.Awq("a");
        infinite["a.scales"] = WeightTensor.FromHalf(Enumerable.Repeat(Half.PositiveInfinity, 72).ToArray(), 3, 24);
        using AwqSource bad = AwqSource.From(new TensorDictionary(infinite, "made"));
        Assert.Contains("the scale of row 0, group 0 is", Assert.Throws<WeightFormatException>(() => bad.Get("a.weight_4bit").AllBytes()).Message);
    }

    [Fact]
    public void SpoiledFilesAreReadOrRejected()
    {
        var one = new PackedLayers(16, 8, 8, seed: 12);
        var two = new PackedLayers(16, 8, 16, seed: 13, symmetric: true);
        Check(one.CompressedTensors("a"), two.CompressedTensors("b", withZeros: false), source => CompressedTensorsSource.From(source));
        Check(one.Gptq("a", v1: true), two.Gptq("b", v1: true, new int[16]), source => GptqSource.From(source, GptqFormat.V1));
        Check(one.Awq("a"), two.Awq("b"), source => AwqSource.From(source));
        Check(one.Mlx("a"), two.Mlx("b"), source => MlxSource.From(source));

        static void Check(Dictionary<string, WeightTensor> first, Dictionary<string, WeightTensor> second, Func<IWeightSource, ImportSource> open)
        {
            byte[][] files = [PackedLayers.File(first), PackedLayers.File(new(first.Concat(second)))];
            SpoiledBytes.Check(files, 2_000, 20_260_606, Open);

            // Files that are well-formed, but whose layers are not what they should be.
            SpoiledBytes.Check(files, 8_000, 20_260_707, Open, FuzzedFile.Mutate);
            SpoiledBytes.Check(files, 4_000, 20_260_808, Open, Reshape);

            ImportSource Open(byte[] file) => open(SafetensorsFile.FromMemory(file, "fuzzed"));
        }
    }

    /// <summary>Gives tensors other shapes and types of as many bytes, contents included.</summary>
    private static byte[] Reshape(byte[] file, Random random)
    {
        using SafetensorsFile whole = SafetensorsFile.FromMemory(file, "whole");
        var tensors = new Dictionary<string, WeightTensor>();
        foreach (string name in whole.Names)
        {
            WeightTensor tensor = whole.Get(name);
            TensorType type = random.Next(8) == 0 ? Enum.GetValues<TensorType>()[random.Next(15)] : tensor.Type;
            byte[] bytes = tensor.AllBytes();
            long rows = random.Next(8) == 0 ? random.Next(1, 40) : tensor.Shape[0];
            long columns = random.Next(8) == 0 ? random.Next(1, 40) : tensor.Shape.Count == 2 ? tensor.Shape[1] : 1;
            Array.Resize(ref bytes, (int)(rows * columns * WeightTensor.ElementSize(type)));
            if (random.Next(8) == 0)
            {
                random.NextBytes(bytes.AsSpan(random.Next(bytes.Length)));
            }

            tensors[name] = new WeightTensor(type, tensor.Shape.Count == 2 ? [rows, columns] : [rows * columns], bytes);
        }

        return PackedLayers.File(tensors);
    }

    private static ImportSource Open(string format, PackedLayers packed)
    {
        Dictionary<string, WeightTensor> tensors = format switch
        {
            "compressed-tensors" => packed.CompressedTensors("a"),
            "AWQ" => packed.Awq("a"),
            _ => packed.Gptq("a", v1: format == "GPTQ v1"),
        };
        tensors["a.bias"] = s_bias;
        var source = new TensorDictionary(tensors, "made");
        return format switch
        {
            "compressed-tensors" => CompressedTensorsSource.From(source),
            "AWQ" => AwqSource.From(source),
            _ => GptqSource.From(source, format == "GPTQ v1" ? GptqFormat.V1 : GptqFormat.V2),
        };
    }

    private static void AssertExact(ImportSource source, Func<int, int, double> weight)
    {
        double[,] ours = source.Weights("a", source.Layers[0].Shape.Group);
        for (int o = 0; o < ours.GetLength(0); o++)
        {
            for (int k = 0; k < ours.GetLength(1); k++)
            {
                Assert.Equal(weight(o, k), ours[o, k]);
            }
        }
    }
}
