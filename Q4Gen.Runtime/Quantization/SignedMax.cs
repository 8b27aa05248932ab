using System.Numerics.Tensors;

namespace Q4Gen.Quantization;

/// <summary>Largest magnitude, with its sign, over −8; zero for zeros. ggml's Q4_0.</summary>
internal sealed class SignedMax : IGroupMethod
{
    public GroupFit Choose(ReadOnlySpan<float> w, ReadOnlySpan<float> u, Span<float> codes)
    {
        float max = w[TensorPrimitives.IndexOfMaxMagnitude(w)];
        var fit = new GroupFit(max == 0 ? Half.Zero : (Half)(max / GroupCodes.Min), Half.Zero);
        GroupCodes.Nearest(w, fit, codes);
        return fit;
    }
}

/// <summary>The range between the extremes in 15 steps: round-to-nearest with an offset.</summary>
internal sealed class MinMax : IGroupMethod
{
    private readonly SignedMax _signedMax = new();

    public GroupFit Choose(ReadOnlySpan<float> w, ReadOnlySpan<float> u, Span<float> codes)
    {
        double min = TensorPrimitives.Min(w);
        double max = TensorPrimitives.Max(w);
        var scale = (Half)((max - min) / (GroupCodes.Max - GroupCodes.Min));

        // The middle of the codes is −½: what rounding the scale does to the range is then the same at both ends.
        var fit = new GroupFit(scale, (Half)((min + max) / 2 + (double)scale / 2));
        if (!fit.IsFinite)
        {
            // Symmetric scales reach further.
            return _signedMax.Choose(w, u, codes);
        }

        GroupCodes.Nearest(w, fit, codes);
        return fit;
    }
}
