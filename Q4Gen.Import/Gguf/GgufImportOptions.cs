namespace Q4Gen.Import.Gguf;

/// <summary>What to make of a GGUF file's tensors.</summary>
public sealed record GgufImportOptions
{
    /// <summary>
    /// Whether a name, without its <c>.weight</c> and as the source hands it out, is that of a linear layer. Asked for
    /// matrices only. Null, or null for a name: whatever the file has quantised, except embeddings, and of floats what
    /// <see cref="LinearNames.IsUsuallyQuantized"/>.
    /// </summary>
    public Func<string, bool?>? IsLinear { get; init; }

    /// <summary>
    /// How layers are quantised anew: Q5_0, Q5_1, Q5_K, Q6_K, Q8_0, and floats where asked for. By signed max in groups of
    /// 32 unless set, which is what Q4_0, Q4_1 and Q4_K have. Progress is told nothing, for what is read when is the reader's.
    /// </summary>
    public QuantizationOptions Quantization { get; init; } = new() { Group = GgufLayers.Group };

    /// <summary>Stops the quantiser.</summary>
    public CancellationToken Cancellation { get; init; }

    /// <summary>Whether matrices in F32, F16 and BF16 become 4-bit layers too; they stay what they are unless set.</summary>
    public bool QuantizeFloats { get; init; }

    /// <summary>
    /// Whether tensors take the names that Hugging Face's models have (<c>model.layers.0.self_attn.q_proj.weight</c>) and
    /// rows of llama's queries and keys their order there. For the architectures llama, to which Mistral belongs, qwen2 and
    /// qwen3; names that have no counterpart stay.
    /// </summary>
    public bool HuggingFaceNames { get; init; }
}
