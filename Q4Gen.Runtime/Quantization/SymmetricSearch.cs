using System.Numerics.Tensors;

namespace Q4Gen.Quantization;

/// <summary>
/// Looks for the codes q that make <c>(Σ uwq)² / Σ uq²</c> largest. For given codes the best scale is <c>s = Σuwq / Σuq²</c>
/// and the error that it leaves is <c>Σuw² − (Σuwq)² / Σuq²</c>, so this is least squares over scale and codes at once. The
/// candidates and the steps are those of ggml's <c>make_qx_quants</c>, over more scales.
/// </summary>
/// <param name="columns">Columns of the longest group.</param>
internal sealed class SymmetricSearch(int columns) : IGroupMethod
{
    // What the largest weight is divided by, with either sign. Below, codes are wasted; above, it and its likes are cut off.
    private const double SmallestTarget = 5;
    private const double LargestTarget = 9.5;
    private const double TargetStep = 0.25;

    // Long rows have outliers that are better cut off by far: targets rise on, by this ratio, until a step is a third of
    // the root mean square. For normally distributed weights 0.335 would be best (Max, "Quantizing for minimum distortion", 1960).
    private const double TargetRatio = 1.08;
    private const double SmallestStep = 0.3;
    private const double MostTarget = 1024;

    private const int MaxPasses = 8;
    private const int MaxRounds = 3;

    // A step of a code has to gain more than rounding does.
    private const double LeastGain = 1 + 1e-9;

    // Half of the smallest F16: weights below become zero whatever the scale.
    private const float Smallest = 1f / (1 << 25);

    private readonly SignedMax _signedMax = new();
    private readonly CodeSums _sums = new(columns);
    private readonly float[] _trial = new float[columns];

    public GroupFit Choose(ReadOnlySpan<float> w, ReadOnlySpan<float> u, Span<float> codes)
    {
        GroupFit fit = _signedMax.Choose(w, u, codes);
        float peak = Peak(w, u);
        if (!fit.IsFinite || Math.Abs(peak) < Smallest)
        {
            return fit;
        }

        double error = GroupCodes.SquaredError(w, u, codes, fit);
        if (error == 0)
        {
            return fit;
        }

        Span<float> trial = _trial.AsSpan(0, w.Length);
        _sums.Load(w, u, centre: 0);
        TensorPrimitives.Multiply(w, FindInverse(peak), trial);
        TensorPrimitives.Round<float>(trial, trial);
        TensorPrimitives.Clamp<float>(trial, GroupCodes.Min, GroupCodes.Max, trial);
        double scale = Climb(w, u, trial);

        // Rounding the scale moves codes, and codes move the scale.
        for (int round = 0; round < MaxRounds; round++)
        {
            var rounded = (Half)scale;
            if (!Half.IsFinite(rounded))
            {
                break;
            }

            if (Math.Abs(scale) < Smallest * 1024)
            {
                // F16 is coarse down here, and the nearest need not be the best.
                Keep(w, u, codes, Half.BitDecrement(rounded), ref fit, ref error);
                Keep(w, u, codes, Half.BitIncrement(rounded), ref fit, ref error);
            }

            Keep(w, u, codes, rounded, ref fit, ref error);
            (double uwq, double uqq) = Sums(w, u, trial);
            if (uqq == 0 || (Half)(uwq / uqq) == rounded)
            {
                break;
            }

            scale = uwq / uqq;
        }

        return fit;
    }

    /// <summary>The weight of largest magnitude among those whose errors count.</summary>
    private static float Peak(ReadOnlySpan<float> w, ReadOnlySpan<float> u)
    {
        float peak = 0;
        for (int i = 0; i < w.Length; i++)
        {
            if (u[i] > 0 && Math.Abs(w[i]) > Math.Abs(peak))
            {
                peak = w[i];
            }
        }

        return peak;
    }

    /// <summary>One over the best candidate scale.</summary>
    private float FindInverse(float peak)
    {
        (double u, _, double uww) = _sums.Moments();
        double largest = Math.Clamp(Math.Abs(peak) / (SmallestStep * Math.Sqrt(uww / u)), LargestTarget, MostTarget);
        (float best, double bestGain) = (0, -1);
        for (double target = SmallestTarget; target <= largest; target = target < LargestTarget ? target + TargetStep : target * TargetRatio)
        {
            Try(-target);
            Try(target);
        }

        return best;

        void Try(double target)
        {
            float inverse = (float)(target / peak);
            (double uwq, double uqq) = _sums.Symmetric(inverse);
            double gain = uqq > 0 ? uwq * uwq / uqq : 0;
            if (gain > bestGain)
            {
                (best, bestGain) = (inverse, gain);
            }
        }
    }

    /// <summary>Moves single codes by one while that makes (Σuwq)² / Σuq² larger; returns the least-squares scale.</summary>
    private static double Climb(ReadOnlySpan<float> w, ReadOnlySpan<float> u, Span<float> codes)
    {
        (double a, double b) = Sums(w, u, codes);
        bool moved = b > 0;
        for (int pass = 0; moved && pass < MaxPasses; pass++)
        {
            moved = false;
            for (int i = 0; i < w.Length; i++)
            {
                double weight = u[i];
                double product = weight * w[i];
                double q = codes[i];
                (double upA, double upB) = (a + product, b + weight * (2 * q + 1));
                (double downA, double downB) = (a - product, b - weight * (2 * q - 1));
                if (q < GroupCodes.Max && IsBetter(upA, upB, a, b))
                {
                    (a, b, codes[i], moved) = (upA, upB, (float)q + 1, true);
                }
                else if (q > GroupCodes.Min && IsBetter(downA, downB, a, b))
                {
                    (a, b, codes[i], moved) = (downA, downB, (float)q - 1, true);
                }
            }
        }

        return b > 0 ? a / b : 0;
    }

    private static bool IsBetter(double a, double b, double oldA, double oldB) =>
        b > 0 && a * a * oldB > oldA * oldA * b * LeastGain;

    private static (double Uwq, double Uqq) Sums(ReadOnlySpan<float> w, ReadOnlySpan<float> u, ReadOnlySpan<float> codes)
    {
        double uwq = 0, uqq = 0;
        for (int i = 0; i < w.Length; i++)
        {
            double weighted = (double)u[i] * codes[i];
            uwq += weighted * w[i];
            uqq += weighted * codes[i];
        }

        return (uwq, uqq);
    }

    /// <summary>Chooses the codes for a rounded scale and keeps both where they leave the smaller error.</summary>
    private void Keep(ReadOnlySpan<float> w, ReadOnlySpan<float> u, Span<float> codes, Half scale, ref GroupFit fit, ref double error)
    {
        var candidate = new GroupFit(scale, Half.Zero);
        if (!candidate.IsFinite)
        {
            return;
        }

        Span<float> trial = _trial.AsSpan(0, w.Length);
        GroupCodes.Nearest(w, candidate, trial);
        double candidateError = GroupCodes.SquaredError(w, u, trial, candidate);
        if (candidateError < error)
        {
            (fit, error) = (candidate, candidateError);
            trial.CopyTo(codes);
        }
    }
}
