using Q4Gen.Import;
using Q4Gen.Import.Gguf;
using Q4Gen.Tests.Runtime;
using Q4Gen.Tests.Tool;

namespace Q4Gen.Tests.Import;

/// <summary>Models of any format behind one door.</summary>
public class ModelFileTests
{
    // Readers have tests of more than 10,000 each; of an index this is it.
    public static TheoryData<string, int> Kinds => new()
    {
        { "q4gen", 1_000 }, { "packed", 1_000 }, { "floats", 500 }, { "gptq", 1_000 }, { "gguf", 1_000 }, { "llama2c", 1_000 }, { "index", 10_000 },
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void SpoiledModelsAreReadOrRejected(string kind, int count)
    {
        using var folder = new TemporaryFolder();
        (string opened, string spoiled) = Write(folder, kind);
        byte[] whole = File.ReadAllBytes(spoiled);
        ReadAll(opened);
        var random = new Random(20_261_123);
        int read = 0, rejected = 0;
        for (int i = 0; i < count; i++)
        {
            // A new file, for mapped ones that change while they are open are rejected for that.
            File.Delete(spoiled);
            File.WriteAllBytes(spoiled, SpoiledBytes.Mutate(whole, random));
            try
            {
                ReadAll(opened);
                read++;
            }
            catch (WeightFormatException)
            {
                rejected++;
            }
            catch (Exception e)
            {
                Assert.Fail($"{kind} {i}: {e}");
            }
        }


        // Spoiling that only ever fails, or never does, checks nothing; of an index, hardly anything can change.
        Assert.True(read > 5 && rejected > 20, $"{read} {rejected}");
        Assert.All(Directory.EnumerateFiles(folder.Root, "*", SearchOption.AllDirectories), file => Assert.StartsWith(Path.GetDirectoryName(spoiled)!, file));
    }

    [Fact]
    public void FormatsAreToldByContent()
    {
        using var folder = new TemporaryFolder();
        string input = folder.Write("m.safetensors", ToolModels.Llama());
        File.Move(input, folder["weights.bin"]);
        Assert.Equal(ModelFormat.Safetensors, ModelFile.DetectContainer(folder["weights.bin"]));
        using (var model = ModelFile.Open(folder["weights.bin"]))
        {
            Assert.Equal(ModelFormat.Safetensors, model.Format);
            Assert.All(model.Layers, layer => Assert.False(layer.IsQuantized));
            Assert.Equal(6, model.Layers.Count);
            Assert.Empty(model.Converted);
        }

        File.WriteAllBytes(folder["gguf.bin"], new GgufBuilder().Tensor("a.weight", GgufTensorType.Q4_0, [32, 1], new byte[18]).Build());
        Assert.Equal(ModelFormat.Gguf, ModelFile.DetectContainer(folder["gguf.bin"]));
        File.WriteAllBytes(folder["zeros"], new byte[64]);
        Assert.Throws<WeightFormatException>(() => ModelFile.Open(folder["zeros"]));
        Assert.Throws<ArgumentException>(() => ModelFile.Open(""));
        Assert.Throws<ArgumentOutOfRangeException>(() => ModelFile.Open(folder["weights.bin"], new ModelFileOptions { Quantization = new QuantizationOptions { Group = -1 } }));
    }

    /// <summary>The quantiser works when a layer is read, each once, and holds one at a time.</summary>
    [Fact]
    public void LayersAreQuantisedAsTheyAreRead()
    {
        using var folder = new TemporaryFolder();
        var done = new List<string>();
        using QuantizedSource source = QuantizedSource.From(
            ToolModels.Llama(), new QuantizationOptions { Group = 32, OnMatrix = (name, _) => done.Add(name) }, isLinear: null, TestContext.Current.CancellationToken);
        Assert.Empty(done);
        Assert.All(source.Layers, layer => Assert.Null(layer.IsLossless));
        SafetensorsWriter.Write(folder["a"], source);
        Assert.Equal(source.Layers.Select(layer => layer.Name).Order(StringComparer.Ordinal), done);
        Assert.All(source.Layers, layer => Assert.InRange(layer.Error!.RelativeRms, 0.05, 0.15));
    }

    [Fact]
    public void AQuantiserIsStoppedInTheMiddle()
    {
        using var stop = new CancellationTokenSource();
        using QuantizedSource source = QuantizedSource.From(
            ToolModels.Llama(), new QuantizationOptions { OnMatrix = (_, _) => stop.Cancel() }, isLinear: null, stop.Token);
        using var folder = new TemporaryFolder();
        Assert.Throws<OperationCanceledException>(() => SafetensorsWriter.Write(folder["a"], source, progress: null, CancellationToken.None));
        Assert.Empty(Directory.GetFiles(folder.Root));
    }

    [Fact]
    public void WritingReportsItsProgressAndStops()
    {
        using var folder = new TemporaryFolder();
        var told = new Told();
        SafetensorsWriter.Write(folder["a"], ToolModels.Llama(), told, TestContext.Current.CancellationToken);
        Assert.Equal(ToolModels.Llama().Names.Count, told.Values.Count);
        Assert.Equal(told.Values.Order(), told.Values);
        Assert.Equal(1, told.Values[^1]);
        File.WriteAllText(folder["b"], "mine");
        Assert.Throws<OperationCanceledException>(() => SafetensorsWriter.Write(folder["b"], ToolModels.Llama(), told, new CancellationToken(canceled: true)));
        Assert.Equal("mine", File.ReadAllText(folder["b"]));
        Assert.Equal(2, Directory.GetFiles(folder.Root).Length);
    }

    [Theory]
    [InlineData("model.layers.0.self_attn.q_proj", true)]
    [InlineData("bert.encoder.layer.0.output.dense", true)]
    [InlineData("encoder.layer.3.output", true)]
    [InlineData("transformer.h.1.mlp.c_fc", true)]
    [InlineData("blk.0.attn_output", true)]
    [InlineData("model.layers.0.mlp.experts.7.gate_proj", true)]
    [InlineData("lm_head", false)]
    [InlineData("output", false)]
    [InlineData("model.embed_tokens", false)]
    [InlineData("token_embd", false)]
    [InlineData("transformer.wpe", false)]
    [InlineData("bert.embeddings.word_embeddings", false)]
    [InlineData("shared", false)]
    [InlineData("model.layers.0.mlp.gate", false)]
    [InlineData("blk.0.ffn_gate_inp", false)]
    public void NamesSayWhatIsUsuallyQuantized(string name, bool expected) => Assert.Equal(expected, LinearNames.IsUsuallyQuantized(name));

    private static (string Opened, string Spoiled) Write(TemporaryFolder folder, string kind)
    {
        Directory.CreateDirectory(folder["m"]);
        switch (kind)
        {
            case "index":
                string sharded = folder.WriteSharded("m", ToolModels.Llama(blocks: 1));
                return (sharded, Path.Combine(sharded, "model.safetensors.index.json"));
            case "gguf":
                byte[] blocks = ImportChecks.RandomBlocks(GgufTensorType.Q6_K, 512, 1);
                File.WriteAllBytes(folder["m/m.gguf"], new GgufBuilder().Value("general.architecture", "llama").Value("llama.attention.head_count", 1)
                    .Tensor("blk.0.attn_q.weight", GgufTensorType.Q6_K, [256, 2], blocks).Build());
                return (folder["m/m.gguf"], folder["m/m.gguf"]);
            case "llama2c":
                var config = new[] { 8, 16, 1, 2, 1, 12, 4 }.SelectMany(BitConverter.GetBytes);
                int floats = (12 * 8) + 8 + (8 * 8) + (2 * 4 * 8) + (8 * 8) + 8 + (3 * 8 * 16) + 8 + (2 * 4 * 2);
                File.WriteAllBytes(folder["m/m.bin"], [.. config, .. SafetensorsTestFiles.Randoms(floats, 1).SelectMany(BitConverter.GetBytes)]);
                return (folder["m/m.bin"], folder["m/m.bin"]);
            case "gptq":
                folder.Write("m/model.safetensors", new TensorDictionary(new PackedLayers(64, 16, 32, seed: 1).Gptq("a", v1: true)));
                return (folder["m"], folder["m/model.safetensors"]);
            case "packed":
                return (folder["m"], folder.Pack("m/model.safetensors", PackedModels.Model(), withHashes: true));
            default:
                TensorDictionary model = ToolModels.Llama(TensorType.F16, blocks: 1);
                folder.Write("m/model.safetensors", kind == "floats" ? model : Linear4BitQuantizer.QuantizeModel(model, new QuantizationOptions { Group = 32, Affine = true }, LinearNames.IsUsuallyQuantized));
                return (folder["m"], folder["m/model.safetensors"]);
        }
    }

    private static void ReadAll(string path)
    {
        using var model = ModelFile.Open(path, new ModelFileOptions { Quantization = new QuantizationOptions { Group = 32 } });
        foreach (string name in model.Source.Names)
        {
            if (model.Source.TryGet(name, out WeightTensor? tensor) && tensor.ByteLength <= 1 << 20)
            {
                _ = tensor.AllBytes();
            }
        }

        Assert.All(model.Layers, layer => Assert.True(layer.Shape is { In: > 0, Out: > 0, Group: > 0 }));
    }

    private sealed class Told : IProgress<double>
    {
        public List<double> Values { get; } = [];

        public void Report(double value) => Values.Add(value);
    }
}
