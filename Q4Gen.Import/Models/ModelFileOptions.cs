namespace Q4Gen.Import;

/// <summary>What <see cref="ModelFile"/> is to make of a model.</summary>
public sealed record ModelFileOptions
{
    /// <summary>
    /// How what is not in 4 bits becomes so. Where null, floats stay floats, and GGUF's other blocks are quantised by signed
    /// max in groups of 32.
    /// </summary>
    public QuantizationOptions? Quantization { get; init; }

    /// <summary>
    /// Whether a name, without its <c>.weight</c>, is that of a layer to quantise. Null, or null for a name: the defaults of
    /// <see cref="LinearNames"/>. Layers that a file of GPTQ and the like has in 4 bits are not asked for.
    /// </summary>
    public Func<string, bool?>? IsLinear { get; init; }

    /// <summary>Whether GGUF's tensors take Hugging Face's names, see <see cref="Gguf.GgufImportOptions.HuggingFaceNames"/>; other formats have them.</summary>
    public bool HuggingFaceNames { get; init; }

    /// <summary>Stops the quantiser.</summary>
    public CancellationToken Cancellation { get; init; }
}
