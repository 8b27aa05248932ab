using System.Numerics.Tensors;

namespace Q4Gen.Quantization;

/// <summary>
/// Looks for the line <c>w ≈ s · q + o</c> of least weighted squared error: the nearest codes for a line, and the
/// least-squares line through the codes, in turn, from many starts (Lloyd, "Least squares quantization in PCM", 1982, with
/// levels that stay equally far apart). With S for weighted sums, <c>s = (S1·Swq − Sw·Sq) / (S1·Sqq − Sq²)</c> and
/// <c>o = (Sw − s·Sq) / S1</c>.
/// </summary>
/// <param name="columns">Columns of the longest group.</param>
internal sealed class AffineSearch(int columns) : IGroupMethod
{
    private const double Steps = GroupCodes.Max - GroupCodes.Min;

    // Parts of the range that the first codes span: all of it and a bit more, and less at both ends.
    private const double WidestPart = 1.07;
    private const double PartRatio = 0.93;
    private const double NarrowestPart = 0.75;

    // As for the symmetric search: narrower still while a step is larger than this part of the standard deviation.
    private const double SmallestStep = 0.3;
    private const double SmallestPart = 0.02;

    private const int TurnsOfStart = 3;
    private const int TurnsOfBest = 8;
    private const int MaxRounds = 2;

    // F16 keeps 11 bits. Where a group is this narrow beside its centre, what rounding the offset leaves is no small part of a step.
    private const double Narrow = 1.0 / 32;

    // Parts of the range that are cut off at one end, for groups with outliers on one side.
    private static readonly double[] s_cuts = [0.1, 0.2, 0.35];

    private readonly SymmetricSearch _symmetric = new(columns);
    private readonly MinMax _minMax = new();
    private readonly CodeSums _sums = new(columns);
    private readonly float[] _trial = new float[columns];
    private readonly float[] _rest = new float[columns];

    public GroupFit Choose(ReadOnlySpan<float> w, ReadOnlySpan<float> u, Span<float> codes)
    {
        var best = new Best { Fit = _symmetric.Choose(w, u, codes) };
        if (!best.Fit.IsFinite)
        {
            return best.Fit;
        }

        best.Error = GroupCodes.SquaredError(w, u, codes, best.Fit);
        Keep(w, u, codes, _minMax.Choose(w, u, _trial.AsSpan(0, w.Length)), ref best);
        (float min, float max) = Range(w, u);
        float centre = (float)(((double)min + max) / 2);
        double range = (double)max - min;
        if (best.Error == 0)
        {
            return best.Fit;
        }

        if (range < Math.Abs(centre) * Narrow)
        {
            KeepSymmetricRest(w, u, codes, (Half)centre, ref best);
        }

        if (range > 0)
        {
            _sums.Load(w, u, centre);
            Line line = FindLine(range, new Line((double)best.Fit.Scale, (double)best.Fit.Offset - centre));
            Settle(w, u, codes, line with { Offset = line.Offset + centre }, ref best);
        }

        return best.Fit;
    }

    private static (float Min, float Max) Range(ReadOnlySpan<float> w, ReadOnlySpan<float> u)
    {
        (float min, float max) = (float.PositiveInfinity, float.NegativeInfinity);
        for (int i = 0; i < w.Length; i++)
        {
            if (u[i] > 0)
            {
                min = Math.Min(min, w[i]);
                max = Math.Max(max, w[i]);
            }
        }

        return (min, max);
    }

    /// <summary>The best line of all starts, relative to the centre of the range.</summary>
    private Line FindLine(double range, Line first)
    {
        (double u, double uw, double uww) = _sums.Moments();
        double deviation = Math.Sqrt(Math.Max(0, uww - uw * uw / u) / u);
        Line best = first;
        double bestGain = -1;
        Start(first);
        double narrowest = Math.Max(SmallestPart, Math.Min(NarrowestPart, SmallestStep * deviation * Steps / range));
        for (double part = WidestPart; part >= narrowest; part *= PartRatio)
        {
            Start(Spanning(-part * range / 2, part * range / 2));
        }

        foreach (double cut in s_cuts)
        {
            Start(Spanning(-range / 2, range * (0.5 - cut)));
            Start(Spanning(range * (cut - 0.5), range / 2));
        }

        for (int turn = 0; turn < TurnsOfBest; turn++)
        {
            double gain = Turn(best, u, uw, out Line next);
            if (gain <= bestGain)
            {
                break;
            }

            (best, bestGain) = (next, gain);
        }

        return best;

        void Start(Line line)
        {
            for (int turn = 0; turn < TurnsOfStart; turn++)
            {
                double gain = Turn(line, u, uw, out Line next);
                if (gain < 0)
                {
                    return;
                }

                line = next;
                if (gain > bestGain)
                {
                    (best, bestGain) = (line, gain);
                }
            }
        }
    }

    /// <summary>The least-squares line through the codes nearest to a line, and what it takes off Σu(w − mean)²; −1 where there is none.</summary>
    private double Turn(Line line, double u, double uw, out Line next)
    {
        next = line;
        float inverse = (float)(1 / line.Scale);
        if (!float.IsFinite(inverse))
        {
            return -1;
        }

        (double uq, double uqq, double uwq) = _sums.Affine(inverse, (float)line.Offset);
        double spread = u * uqq - uq * uq;
        if (!(spread > 0))
        {
            return -1;
        }

        double together = u * uwq - uw * uq;
        double scale = together / spread;
        next = new Line(scale, (uw - scale * uq) / u);
        return together * together / (spread * u);
    }

    /// <summary>The line on which code −8 is at one end and 7 at the other.</summary>
    private static Line Spanning(double from, double to)
    {
        double scale = (to - from) / Steps;
        return new Line(scale, from - GroupCodes.Min * scale);
    }

    /// <summary>Rounds a line to F16: one number first and the other refitted to it, both ways.</summary>
    private void Settle(ReadOnlySpan<float> w, ReadOnlySpan<float> u, Span<float> codes, Line line, ref Best best)
    {
        Span<float> trial = _trial.AsSpan(0, w.Length);
        for (int round = 0; round < MaxRounds && line.Scale != 0; round++)
        {
            for (int i = 0; i < w.Length; i++)
            {
                trial[i] = (float)Math.Clamp(Math.Round((w[i] - line.Offset) / line.Scale), GroupCodes.Min, GroupCodes.Max);
            }

            Sums sums = Add(w, u, trial);
            var offset = (Half)line.Offset;
            var scale = (Half)line.Scale;
            GroupFit before = best.Fit;
            if (sums.Qq > 0)
            {
                Keep(w, u, codes, new GroupFit((Half)((sums.Wq - (double)offset * sums.Q) / sums.Qq), offset), ref best);
            }

            Keep(w, u, codes, new GroupFit(scale, (Half)((sums.W - (double)scale * sums.Q) / sums.One)), ref best);
            sums = Add(w, u, codes);
            double spread = sums.One * sums.Qq - sums.Q * sums.Q;
            if (best.Fit == before || !(spread > 0))
            {
                return;
            }

            // Rounding moved codes: the line through the new ones.
            double refitted = (sums.One * sums.Wq - sums.W * sums.Q) / spread;
            line = new Line(refitted, (sums.W - refitted * sums.Q) / sums.One);
        }
    }

    /// <summary>Rounds the offset first and leaves what remains of the weights to the symmetric search.</summary>
    private void KeepSymmetricRest(ReadOnlySpan<float> w, ReadOnlySpan<float> u, Span<float> codes, Half offset, ref Best best)
    {
        if (!Half.IsFinite(offset))
        {
            return;
        }

        Span<float> rest = _rest.AsSpan(0, w.Length);
        Span<float> trial = _trial.AsSpan(0, w.Length);
        TensorPrimitives.Subtract(w, (float)offset, rest);
        Keep(w, u, codes, new GroupFit(_symmetric.Choose(rest, u, trial).Scale, offset), ref best);
    }

    /// <summary>Chooses the codes for a rounded line and keeps both where they leave the smaller error.</summary>
    private void Keep(ReadOnlySpan<float> w, ReadOnlySpan<float> u, Span<float> codes, GroupFit candidate, ref Best best)
    {
        if (!candidate.IsFinite)
        {
            return;
        }

        Span<float> trial = _trial.AsSpan(0, w.Length);
        GroupCodes.Nearest(w, candidate, trial);
        double error = GroupCodes.SquaredError(w, u, trial, candidate);
        if (error < best.Error)
        {
            best = new Best { Fit = candidate, Error = error };
            trial.CopyTo(codes);
        }
    }

    private static Sums Add(ReadOnlySpan<float> w, ReadOnlySpan<float> u, ReadOnlySpan<float> codes)
    {
        Sums sums = default;
        for (int i = 0; i < w.Length; i++)
        {
            double weighted = (double)u[i] * codes[i];
            sums.One += u[i];
            sums.W += (double)u[i] * w[i];
            sums.Q += weighted;
            sums.Qq += weighted * codes[i];
            sums.Wq += weighted * w[i];
        }

        return sums;
    }

    /// <summary><c>w = Scale · code + Offset</c>, not rounded yet.</summary>
    private readonly record struct Line(double Scale, double Offset);

    /// <summary>The best so far.</summary>
    private struct Best
    {
        public GroupFit Fit;
        public double Error;
    }

    /// <summary>Weighted sums over a group.</summary>
    private struct Sums
    {
        public double One;
        public double W;
        public double Q;
        public double Qq;
        public double Wq;
    }
}
