using System.Globalization;
using Q4Gen.Import.Conversion;

namespace Q4Gen.Import.Gguf;

/// <summary>Names of the Llama, Mistral and Qwen families as Hugging Face's models have them.</summary>
/// <remarks>
/// llama.cpp's converter reorders the rows of query and key projections of the architecture llama, because its rotary
/// pairs are neighbours there and halves of a head in Hugging Face's models; those of qwen2 and qwen3 it leaves alone.
/// </remarks>
internal sealed class HuggingFaceNames
{
    private const string ArchitectureKey = "general.architecture";
    private const string Reordered = "llama";
    private static readonly string[] s_architectures = [Reordered, "qwen2", "qwen3"];

    private static readonly Dictionary<string, string> s_whole = new()
    {
        ["token_embd"] = "model.embed_tokens",
        ["output_norm"] = "model.norm",
        ["output"] = "lm_head",
    };

    private static readonly Dictionary<string, string> s_inLayer = new()
    {
        ["attn_norm"] = "input_layernorm",
        ["attn_q"] = "self_attn.q_proj",
        ["attn_k"] = "self_attn.k_proj",
        ["attn_v"] = "self_attn.v_proj",
        ["attn_output"] = "self_attn.o_proj",
        ["attn_q_norm"] = "self_attn.q_norm",
        ["attn_k_norm"] = "self_attn.k_norm",
        ["ffn_norm"] = "post_attention_layernorm",
        ["ffn_gate"] = "mlp.gate_proj",
        ["ffn_up"] = "mlp.up_proj",
        ["ffn_down"] = "mlp.down_proj",
    };

    private readonly GgufFile _file;
    private readonly string _architecture;

    /// <summary>Takes a file's architecture.</summary>
    /// <exception cref="WeightFormatException">It has none, or one whose names are not known.</exception>
    public HuggingFaceNames(GgufFile file)
    {
        _file = file;
        _architecture = file.Metadata.TryGetValue(ArchitectureKey, out GgufValue? value) ? value.ToText() : "";
        if (!s_architectures.Contains(_architecture))
        {
            throw new WeightFormatException(
                $"{file.Description}: has the architecture {GgufCursor.Quote(_architecture)}, but Hugging Face's names are known for {string.Join(", ", s_architectures)}; leave {nameof(GgufImportOptions.HuggingFaceNames)} off and take the file's names.");
        }
    }

    /// <summary>The name there; the same where there is none.</summary>
    public static string Map(string name)
    {
        string[] parts = name.Split('.');
        return parts switch
        {
            [string tensor, "weight" or "bias"] when s_whole.TryGetValue(tensor, out string? mapped) => $"{mapped}.{parts[^1]}",
            ["blk", string layer, string tensor, "weight" or "bias"]
                when IsNumber(layer) && s_inLayer.TryGetValue(tensor, out string? mapped) => $"model.layers.{layer}.{mapped}.{parts[^1]}",
            _ => name,
        };
    }

    /// <summary>A query's or key's rows in their order there; every other tensor as it is.</summary>
    /// <param name="tensor">What the file says of it.</param>
    /// <param name="data">Its data.</param>
    /// <exception cref="WeightFormatException">The file does not say how many heads there are, or rows are no whole heads.</exception>
    public WeightTensor Reorder(GgufTensor tensor, WeightTensor data)
    {
        if (_architecture != Reordered || tensor.Shape.Count is not (1 or 2) || tensor.Name.Split('.') is not ["blk", _, ("attn_q" or "attn_k") and string kind, "weight" or "bias"])
        {
            return data;
        }

        const string queriesKey = Reordered + ".attention.head_count";
        const string keysKey = Reordered + ".attention.head_count_kv";
        string key = kind == "attn_k" && _file.Metadata.ContainsKey(keysKey) ? keysKey : queriesKey;
        long heads = _file.Metadata.TryGetValue(key, out GgufValue? value)
            ? value.ToInt64()
            : throw new WeightFormatException(
                $"{_file.Description}: has no metadata '{key}', by which the rows of tensor {GgufCursor.Quote(tensor.Name)} are reordered; leave {nameof(GgufImportOptions.HuggingFaceNames)} off.");
        long rows = tensor.Shape[0];
        if (heads <= 0 || rows <= 0 || rows > int.MaxValue || rows % heads != 0 || rows / heads % 2 != 0)
        {
            throw new WeightFormatException(
                $"{_file.Description}: tensor {GgufCursor.Quote(tensor.Name)} is {tensor}, whose {rows} rows are no {heads} heads of an even size, as metadata '{key}' says; {GgufTypes.FetchAgain}.");
        }

        return RotaryRows.Reorder(data, (int)(rows / heads), data.ByteLength / rows);
    }

    private static bool IsNumber(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out _);
}
