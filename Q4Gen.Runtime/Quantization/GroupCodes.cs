using System.Numerics.Tensors;
using Q4Gen.Format;

namespace Q4Gen.Quantization;

/// <summary>Codes −8 … 7 as float32, and the error that they leave.</summary>
internal static class GroupCodes
{
    public const float Min = -PanelLayout.NibbleBias;
    public const float Max = PanelLayout.NibbleBias - 1;

    /// <summary>The nearest of −8 … 7 for each weight; zeros where the scale is zero.</summary>
    public static void Nearest(ReadOnlySpan<float> w, GroupFit fit, Span<float> codes)
    {
        float scale = (float)fit.Scale;
        if (scale == 0)
        {
            codes.Clear();
            return;
        }

        if (fit.Offset == Half.Zero)
        {
            TensorPrimitives.Divide(w, scale, codes);
        }
        else
        {
            TensorPrimitives.Subtract(w, (float)fit.Offset, codes);
            TensorPrimitives.Divide(codes, scale, codes);
        }

        TensorPrimitives.Round<float>(codes, codes);
        TensorPrimitives.Clamp<float>(codes, Min, Max, codes);
    }

    /// <summary><c>Σ u(w − ŵ)²</c>.</summary>
    public static double SquaredError(ReadOnlySpan<float> w, ReadOnlySpan<float> u, ReadOnlySpan<float> codes, GroupFit fit)
    {
        double scale = (double)fit.Scale;
        double offset = (double)fit.Offset;
        double sum = 0;
        for (int i = 0; i < w.Length; i++)
        {
            double error = w[i] - (codes[i] * scale + offset);
            sum += u[i] * error * error;
        }

        return sum;
    }
}
