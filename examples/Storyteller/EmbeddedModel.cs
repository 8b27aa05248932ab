using Q4Gen;
using Storyteller.Decoding;
using Storyteller.Text;

namespace Storyteller;

/// <summary>The trained model inside this program: F16 weights, quantised when they are loaded, and the tokenizer.</summary>
public static class EmbeddedModel
{
    /// <summary>Opens the F16 weights.</summary>
    public static SafetensorsFile OpenWeights() =>
        SafetensorsFile.FromMemory(ReadBytes("model.safetensors"), "the embedded model.safetensors");

    /// <summary>The tokenizer.</summary>
    public static StoryTokenizer CreateTokenizer() => new(ReadText("vocab.json"), ReadText("merges.txt"));

    /// <summary>The model with its linears in 4 bits.</summary>
    /// <param name="group">Columns that share a scale; other than the declared ones run on generic kernels.</param>
    public static StoryModel Load4Bit(int group = StoryModel.DeclaredGroup)
    {
        using SafetensorsFile weights = OpenWeights();
        var model = new StoryModel();
        model.Load(Quantize(weights, StoryModel.DeclaredGroup), prefix: "");
        if (group != StoryModel.DeclaredGroup)
        {
            TensorDictionary quantized = Quantize(weights, group);
            model.ReplaceLayers(name => Linear4Bit.Load(quantized, name));
        }

        return model;
    }

    /// <summary>The model as it was trained: every weight the F16 value, computed in float32.</summary>
    public static DecoderWeights LoadF16()
    {
        using SafetensorsFile weights = OpenWeights();
        DecoderConfig config = StoryModel.Config;
        float[] embedding = Read("model.embed_tokens");
        return new DecoderWeights(
            embedding,
            [.. Enumerable.Range(0, config.Layers).Select(i => ReadBlock($"model.layers.{i}"))],
            Read("model.norm"),
            new DenseLinear(embedding, config.Width).Forward);

        DecoderBlock ReadBlock(string prefix) => new()
        {
            AttentionNorm = Read($"{prefix}.input_layernorm"),
            Query = ReadLinear($"{prefix}.self_attn.q_proj", config.Width),
            Key = ReadLinear($"{prefix}.self_attn.k_proj", config.Width),
            Value = ReadLinear($"{prefix}.self_attn.v_proj", config.Width),
            AttentionOutput = ReadLinear($"{prefix}.self_attn.o_proj", config.Width),
            MlpNorm = Read($"{prefix}.post_attention_layernorm"),
            Gate = ReadLinear($"{prefix}.mlp.gate_proj", config.Width),
            Up = ReadLinear($"{prefix}.mlp.up_proj", config.Width),
            Down = ReadLinear($"{prefix}.mlp.down_proj", config.MlpWidth),
        };

        LinearOp ReadLinear(string prefix, int inFeatures) => new DenseLinear(Read(prefix), inFeatures).Forward;

        float[] Read(string prefix) => weights.TryGet($"{prefix}.weight", out WeightTensor? tensor)
            ? tensor.ToSingleArray()
            : throw new WeightFormatException($"{weights.Description} has no tensor '{prefix}.weight'.");
    }

    private static TensorDictionary Quantize(IWeightSource weights, int group) =>
        Linear4BitQuantizer.QuantizeModel(weights, group, name => name.EndsWith("_proj", StringComparison.Ordinal));

    private static string ReadText(string resource)
    {
        using var reader = new StreamReader(Open(resource));
        return reader.ReadToEnd();
    }

    private static byte[] ReadBytes(string resource)
    {
        using Stream stream = Open(resource);
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }

    private static Stream Open(string resource) =>
        typeof(EmbeddedModel).Assembly.GetManifestResourceStream(resource)
            ?? throw new InvalidOperationException($"This program was built without its resource '{resource}'.");
}
