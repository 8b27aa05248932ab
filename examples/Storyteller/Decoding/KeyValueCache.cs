namespace Storyteller.Decoding;

/// <summary>
/// The keys and values of the last <c>context</c> tokens of one block: a ring, so a story may be longer than the
/// context, and its oldest tokens then fall out of sight.
/// </summary>
/// <remarks>
/// The order of the slots does not matter: attention is a sum over them, and rotary keys carry their own position.
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
        for (int head = 0; head < config.KeyValueHeads; head++)
        {
            int at = At(head, position % config.Context);
            keys.Slice(head * config.HeadSize, config.HeadSize).CopyTo(_keys.AsSpan(at));
            values.Slice(head * config.HeadSize, config.HeadSize).CopyTo(_values.AsSpan(at));
        }
    }

    /// <summary>One head's key in one slot.</summary>
    public ReadOnlySpan<float> Key(int head, int slot) => _keys.AsSpan(At(head, slot), config.HeadSize);

    /// <summary>One head's value in one slot.</summary>
    public ReadOnlySpan<float> Value(int head, int slot) => _values.AsSpan(At(head, slot), config.HeadSize);

    private int At(int head, int slot) => (head * config.Context + slot) * config.HeadSize;
}
