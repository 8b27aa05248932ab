namespace Storyteller.Decoding;

/// <summary>
/// The keys and values of the last <c>context</c> tokens of one block: a ring, so a story may be longer than the
/// context, and its oldest tokens then fall out of sight.
/// </summary>
/// <remarks>
/// The order of the slots does not matter: attention is a sum over them, and rotary keys carry their own position.
/// Stored by element, <c>[head][element][slot]</c>, so that attention works on long vectors, one a head's element,
/// instead of short ones, one a token.
/// </remarks>
public sealed class KeyValueCache(DecoderConfig config)
{
    private readonly float[] _keys = new float[config.Context * config.KeyValueWidth];
    private readonly float[] _values = new float[config.Context * config.KeyValueWidth];

    /// <summary>Slots that a token at <paramref name="position"/> sees, itself included; they are the first ones.</summary>
    public int Visible(int position) => Math.Min(position + 1, config.Context);

    /// <summary>Keeps the keys and values of the token at <paramref name="position"/>, <c>[heads, head size]</c> each.</summary>
    public void Store(int position, ReadOnlySpan<float> keys, ReadOnlySpan<float> values)
    {
        int slot = position % config.Context;
        for (int i = 0; i < config.KeyValueWidth; i++)
        {
            _keys[i * config.Context + slot] = keys[i];
            _values[i * config.Context + slot] = values[i];
        }
    }

    /// <summary>One element of a head's keys in the first slots.</summary>
    public ReadOnlySpan<float> Keys(int head, int element, int slots) =>
        _keys.AsSpan((head * config.HeadSize + element) * config.Context, slots);

    /// <summary>One element of a head's values in the first slots.</summary>
    public ReadOnlySpan<float> Values(int head, int element, int slots) =>
        _values.AsSpan((head * config.HeadSize + element) * config.Context, slots);
}
