namespace Storyteller.Decoding;

/// <summary>What a decoder computes with.</summary>
/// <param name="Embedding">Row-major <c>[vocabulary, width]</c>.</param>
/// <param name="Blocks">The blocks, first to last.</param>
/// <param name="FinalNorm">Weight of the last norm, <c>[width]</c>.</param>
/// <param name="Output">Hidden state to one logit a token of the vocabulary.</param>
public sealed record DecoderWeights(float[] Embedding, DecoderBlock[] Blocks, float[] FinalNorm, LinearOp Output);

/// <summary>The weights of one block.</summary>
public sealed class DecoderBlock
{
    /// <summary>Weight of the norm before attention, <c>[width]</c>.</summary>
    public required float[] AttentionNorm { get; init; }

    /// <summary>Queries: width → width. Rotary pairs are halves of a head: elements i and i + head size / 2.</summary>
    public required LinearOp Query { get; init; }

    /// <summary>Keys: width → key width. Rotary pairs as in <see cref="Query"/>.</summary>
    public required LinearOp Key { get; init; }

    /// <summary>Values: width → value width.</summary>
    public required LinearOp Value { get; init; }

    /// <summary>Attention's way back into the hidden state: width → width.</summary>
    public required LinearOp AttentionOutput { get; init; }

    /// <summary>Weight of the norm before the MLP, <c>[width]</c>.</summary>
    public required float[] MlpNorm { get; init; }

    /// <summary>The MLP's gate: width → MLP width.</summary>
    public required LinearOp Gate { get; init; }

    /// <summary>What the gate scales: width → MLP width.</summary>
    public required LinearOp Up { get; init; }

    /// <summary>The MLP's way back into the hidden state: MLP width → width.</summary>
    public required LinearOp Down { get; init; }
}
