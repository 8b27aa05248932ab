namespace Q4Gen.Import.Llama2c;

/// <summary>The shape of a llama2.c model, the seven integers that its file starts with.</summary>
/// <param name="Width">Elements of a token's vector (<c>dim</c>).</param>
/// <param name="MlpWidth">Elements between the two halves of a feed-forward (<c>hidden_dim</c>).</param>
/// <param name="Layers">Number of layers.</param>
/// <param name="Heads">Number of query heads, which divides the width.</param>
/// <param name="KeyValueHeads">Number of key and value heads, which divides that of the query heads.</param>
/// <param name="Vocabulary">Number of tokens.</param>
/// <param name="Context">The longest sequence, in tokens.</param>
/// <param name="SharesEmbedding">Whether the output layer is the embedding.</param>
public sealed record Llama2cConfig(
    int Width, int MlpWidth, int Layers, int Heads, int KeyValueHeads, int Vocabulary, int Context, bool SharesEmbedding)
{
    /// <summary>Rows of a head.</summary>
    public int HeadSize => Width / Heads;

    /// <summary>Rows of all key heads.</summary>
    public int KeyValueWidth => HeadSize * KeyValueHeads;
}
