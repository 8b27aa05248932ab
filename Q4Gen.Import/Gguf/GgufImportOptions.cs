namespace Q4Gen.Import.Gguf;

/// <summary>What to make of a GGUF file's tensors.</summary>
public sealed record GgufImportOptions
{
    /// <summary>
    /// Whether a name, without its <c>.weight</c> and as the source hands it out, is that of a linear layer. Asked for
    /// matrices only. Everything but embeddings where null.
    /// </summary>
    public Func<string, bool>? IsLinear { get; init; }

    /// <summary>
    /// Columns that share a scale in layers that are quantised anew: Q5_0, Q5_1, Q5_K, Q6_K, Q8_0, and floats where asked
    /// for. Positive; 32 unless set, which is what Q4_0, Q4_1 and Q4_K have.
    /// </summary>
    public int Group { get; init; } = GgufLayers.Group;

    /// <summary>Whether matrices in F32, F16 and BF16 become 4-bit layers too; they stay what they are unless set.</summary>
    public bool QuantizeFloats { get; init; }

    /// <summary>
    /// Whether tensors take the names that Hugging Face's models have (<c>model.layers.0.self_attn.q_proj.weight</c>) and
    /// rows of llama's queries and keys their order there. For the architectures llama, to which Mistral belongs, qwen2 and
    /// qwen3; names that have no counterpart stay.
    /// </summary>
    public bool HuggingFaceNames { get; init; }
}
