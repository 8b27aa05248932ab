using Q4Gen.Import.Llama2c;
using Q4Gen.Tests.Examples;
using Q4Gen.Tests.Runtime;

namespace Q4Gen.Tests.Import;

public class Llama2cSourceTests
{
    private const int Width = 8;
    private const int MlpWidth = 6;
    private const int Layers = 2;
    private const int Heads = 2;
    private const int KeyHeads = 1;
    private const int Vocabulary = 5;
    private const int Context = 3;
    private const int KeyWidth = 4;

    [Theory]
    [InlineData(0, true)]
    [InlineData(0, false)]
    [InlineData(1, true)]
    [InlineData(1, false)]
    public void ReadsEveryTensor(int version, bool shared)
    {
        using Llama2cSource source = Llama2cSource.FromMemory(Make(version, shared), "made");
        Assert.Equal(new Llama2cConfig(Width, MlpWidth, Layers, Heads, KeyHeads, Vocabulary, Context, shared), source.Config);
        Assert.Equal(3 + 9 * Layers - (shared ? 1 : 0), source.Names.Count);
        Assert.Equal("1", source.Metadata["num_key_value_heads"]);

        Expect("model.embed_tokens.weight", "embedding", 0, [Vocabulary, Width]);
        Expect("model.norm.weight", "norm", 0, [Width]);
        Assert.Equal(!shared, source.TryGet("lm_head.weight", out _));
        if (!shared)
        {
            Expect("lm_head.weight", "output", 0, [Vocabulary, Width]);
        }

        for (int layer = 0; layer < Layers; layer++)
        {
            string prefix = $"model.layers.{layer}.";
            Expect(prefix + "input_layernorm.weight", "attention norm", layer, [Width]);
            Expect(prefix + "post_attention_layernorm.weight", "ffn norm", layer, [Width]);
            Expect(prefix + "self_attn.v_proj.weight", "wv", layer, [KeyWidth, Width]);
            Expect(prefix + "self_attn.o_proj.weight", "wo", layer, [Width, Width]);
            Expect(prefix + "mlp.gate_proj.weight", "w1", layer, [MlpWidth, Width]);
            Expect(prefix + "mlp.down_proj.weight", "w2", layer, [Width, MlpWidth]);
            Expect(prefix + "mlp.up_proj.weight", "w3", layer, [MlpWidth, Width]);
            Expect(prefix + "self_attn.q_proj.weight", "wq", layer, [Width, Width], Halves);
            Expect(prefix + "self_attn.k_proj.weight", "wk", layer, [KeyWidth, Width], Halves);
        }

        void Expect(string name, string kind, int layer, long[] shape, Func<float[], float[]>? order = null)
        {
            WeightTensor tensor = source.Get(name);
            Assert.Equal(TensorType.F32, tensor.Type);
            Assert.Equal(shape, tensor.Shape);
            float[] values = Values(kind, layer, (int)tensor.ElementCount);
            Assert.Equal(order is null ? values : order(values), tensor.ToSingleArray());
        }
    }

    [Theory]
    [InlineData("stories260K", "checkpoint_legacy.bin")]
    [InlineData("stories260K", "checkpoint_v1.bin")]
    [InlineData("babyllama-tok105", "model5000.bin")]
    public void ReadsRealCheckpointsAndTheyQuantise(string model, string file)
    {
        using Llama2cSource source = Llama2cSource.Open(SharedFiles.Find("models", model, file));
        Assert.True(source.Config.SharesEmbedding);
        TensorDictionary quantized = Linear4BitQuantizer.QuantizeModel(source, 32, name => name.Contains("_proj"), ct: TestContext.Current.CancellationToken);
        Assert.Equal(source.Config.Layers * 7, quantized.Names.Count(name => name.EndsWith(".weight_4bit", StringComparison.Ordinal)));
    }

    [Fact]
    public void BothVersionsOfOneCheckpointAreTheSameModel()
    {
        using Llama2cSource old = Llama2cSource.Open(SharedFiles.Find("models", "stories260K", "checkpoint_legacy.bin"));
        using Llama2cSource now = Llama2cSource.Open(SharedFiles.Find("models", "stories260K", "checkpoint_v1.bin"));
        Assert.Equal(old.Config, now.Config);
        Assert.Equal(old.Names.Order(), now.Names.Order());
        Assert.All(old.Names, name => Assert.Equal(old.Get(name).AllBytes(), now.Get(name).AllBytes()));
    }

    [Fact]
    public void RejectsWhatIsNoCheckpoint()
    {
        byte[] old = Make(0, true), now = Make(1, true);
        Assert.Contains("has 0 bytes, but a checkpoint starts with 28", Rejected([]));
        Assert.Contains("has 27 bytes", Rejected(old[..27]));
        Assert.Contains($"has {old.Length - 1} bytes, but a checkpoint of version 0", Rejected(old[..^1]));
        Assert.Contains($"has {old.Length + 1} bytes", Rejected([.. old, 0]));
        Assert.Contains("has 255 bytes, but a checkpoint of version 1 starts with 256", Rejected(now[..255]));
        Assert.Contains($"has {now.Length - 4} bytes", Rejected(now[..^4]));
        Assert.Contains("of version 2, but only versions 0 and 1", Rejected(With(now, 4, 2)));
        Assert.Contains("has 2 where it says whether", Rejected(With(now, 36, 2)));
        foreach (int integer in Enumerable.Range(0, 7))
        {
            Assert.Contains("starts with", Rejected(With(old, integer * 4, 0)));
            Assert.Contains(integer == 5 ? "bytes, but a checkpoint" : "starts with", Rejected(With(old, integer * 4, -7)));
            Assert.Contains("starts with", Rejected(With(old, integer * 4, int.MinValue)));
            Rejected(With(old, integer * 4, int.MaxValue));
        }

        Assert.Contains("starts with", Rejected(With(old, 12, 8)));
        Assert.Contains("starts with", Rejected(With(old, 12, 3)));
        Assert.Contains("starts with", Rejected(With(old, 16, 3)));

        static string Rejected(byte[] file) => ImportChecks.Rejected(() => Llama2cSource.FromMemory(file, "made"));

        static byte[] With(byte[] file, int at, int value)
        {
            byte[] changed = [.. file];
            BitConverter.GetBytes(value).CopyTo(changed, at);
            return changed;
        }
    }

    [Fact]
    public void SpoiledFilesAreReadOrRejected() =>
        SpoiledBytes.Check([Make(0, true), Make(0, false), Make(1, true), Make(1, false)], 10_000, 20_260_505, file => Llama2cSource.FromMemory(file, "fuzzed"));

    /// <summary>As llama2.c's export.py writes it.</summary>
    private static byte[] Make(int version, bool shared)
    {
        var file = new MemoryStream();
        var writer = new BinaryWriter(file);
        if (version == 1)
        {
            writer.Write(0x616b3432u);
            writer.Write(1);
        }

        foreach (int value in new[] { Width, MlpWidth, Layers, Heads, KeyHeads, version == 0 && !shared ? -Vocabulary : Vocabulary, Context })
        {
            writer.Write(value);
        }

        if (version == 1)
        {
            writer.Write(shared);
            writer.Write(new byte[256 - file.Length]);
        }

        (string Kind, int Count, int Elements)[] attention = [("wq", Layers, Width * Width), ("wk", Layers, KeyWidth * Width), ("wv", Layers, KeyWidth * Width), ("wo", Layers, Width * Width)];
        (string Kind, int Count, int Elements)[] mlp = [("w1", Layers, MlpWidth * Width), ("w2", Layers, MlpWidth * Width), ("w3", Layers, MlpWidth * Width)];
        (string, int, int)[] all = version == 0
            ? [("embedding", 1, Vocabulary * Width), ("attention norm", Layers, Width), .. attention, ("ffn norm", Layers, Width), .. mlp, ("norm", 1, Width), ("tables", 1, Context * Width / Heads)]
            : [("attention norm", Layers, Width), ("ffn norm", Layers, Width), ("norm", 1, Width), ("embedding", 1, Vocabulary * Width), .. attention, .. mlp];
        foreach ((string kind, int count, int elements) in shared ? all : [.. all, ("output", 1, Vocabulary * Width)])
        {
            for (int layer = 0; layer < count; layer++)
            {
                Array.ForEach(Values(kind, layer, elements), writer.Write);
            }
        }

        return file.ToArray();
    }

    private static float[] Values(string kind, int layer, int count) => SafetensorsTestFiles.Randoms(count, kind.Sum(c => c) * 10 + layer);

    /// <summary>Rows 0, 2, 1, 3 of each head of four: the first of every pair, then the second.</summary>
    private static float[] Halves(float[] rows)
    {
        float[][] all = [.. rows.Chunk(Width)];
        return [.. all.Chunk(KeyWidth).SelectMany(head => new[] { head[0], head[2], head[1], head[3] }).SelectMany(row => row)];
    }
}
