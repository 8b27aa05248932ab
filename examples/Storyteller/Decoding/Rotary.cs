namespace Storyteller.Decoding;

/// <summary>Rotary position embedding: turns pair i of each head by <c>position · base^(−2i / head size)</c>.</summary>
/// <remarks>Su et al., "RoFormer"; pairs are halves, (i, i + head size / 2), as Hugging Face's Llama has them.</remarks>
public sealed class Rotary
{
    private readonly int _half;
    private readonly double[] _frequencies;
    private readonly float[] _cos;
    private readonly float[] _sin;

    /// <summary>For heads of one size.</summary>
    public Rotary(DecoderConfig config)
    {
        _half = config.HeadSize / 2;
        _frequencies = new double[_half];
        _cos = new float[_half];
        _sin = new float[_half];
        for (int i = 0; i < _half; i++)
        {
            _frequencies[i] = Math.Pow(config.RotaryBase, -2.0 * i / config.HeadSize);
        }
    }

    /// <summary>Takes the angles of <paramref name="position"/> for the following <see cref="Apply"/> calls.</summary>
    public void MoveTo(int position)
    {
        for (int i = 0; i < _half; i++)
        {
            (double sin, double cos) = Math.SinCos(position * _frequencies[i]);
            _cos[i] = (float)cos;
            _sin[i] = (float)sin;
        }
    }

    /// <summary>Turns every head of one token in place.</summary>
    public void Apply(Span<float> heads)
    {
        for (; !heads.IsEmpty; heads = heads[(2 * _half)..])
        {
            Span<float> first = heads[.._half];
            Span<float> second = heads.Slice(_half, _half);
            for (int i = 0; i < _half; i++)
            {
                (float a, float b) = (first[i], second[i]);
                first[i] = a * _cos[i] - b * _sin[i];
                second[i] = b * _cos[i] + a * _sin[i];
            }
        }
    }
}
