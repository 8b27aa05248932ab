namespace Storyteller.Decoding;

/// <summary>The sizes of a Llama-style decoder.</summary>
/// <param name="Width">Elements of a token's hidden state.</param>
/// <param name="MlpWidth">Elements inside the MLP.</param>
/// <param name="Layers">Blocks.</param>
/// <param name="Heads">Query heads; they divide the width.</param>
/// <param name="KeyValueHeads">Key and value heads, each shared by <c>Heads / KeyValueHeads</c> query heads.</param>
/// <param name="Vocabulary">Tokens that the model knows.</param>
/// <param name="Context">Tokens that the model sees at once.</param>
public sealed record DecoderConfig(
    int Width, int MlpWidth, int Layers, int Heads, int KeyValueHeads, int Vocabulary, int Context)
{
    /// <summary>Added to the mean square of a hidden state before its root is taken.</summary>
    public float NormEpsilon { get; init; } = 1e-5f;

    /// <summary>Base of the rotary frequencies.</summary>
    public float RotaryBase { get; init; } = 10_000f;

    /// <summary>Elements of one head.</summary>
    public int HeadSize => Width / Heads;

    /// <summary>Elements of all key heads, and of all value heads, of a token.</summary>
    public int KeyValueWidth => KeyValueHeads * HeadSize;
}
