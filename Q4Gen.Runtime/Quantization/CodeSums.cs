using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Q4Gen.Quantization;

/// <summary>
/// The sums that a least-squares fit of a group needs, for one candidate scale after the other. Eight columns at a time
/// and in the same order on every processor, so that all of them choose the same codes.
/// </summary>
/// <param name="columns">Columns of the longest group.</param>
internal sealed class CodeSums(int columns)
{
    private static readonly int s_lanes = Vector256<float>.Count;

    // Filled up to whole vectors with columns that weigh nothing.
    private readonly float[] _w = new float[Padded(columns)];
    private readonly float[] _u = new float[Padded(columns)];
    private readonly float[] _uw = new float[Padded(columns)];
    private int _length;

    /// <summary>Takes the weights of a group, less a centre, and what their errors weigh.</summary>
    public void Load(ReadOnlySpan<float> w, ReadOnlySpan<float> u, float centre)
    {
        _length = Padded(w.Length);
        u.CopyTo(_u);
        for (int i = 0; i < w.Length; i++)
        {
            _w[i] = w[i] - centre;
            _uw[i] = u[i] * _w[i];
        }

        _w.AsSpan(w.Length, _length - w.Length).Clear();
        _u.AsSpan(w.Length, _length - w.Length).Clear();
        _uw.AsSpan(w.Length, _length - w.Length).Clear();
    }

    /// <summary>Σuwq and Σuq² of the codes nearest to <c>w · inverse</c>.</summary>
    public (double Uwq, double Uqq) Symmetric(float inverse)
    {
        ReadOnlySpan<Vector256<float>> w = Vectors(_w);
        ReadOnlySpan<Vector256<float>> u = Vectors(_u);
        ReadOnlySpan<Vector256<float>> uw = Vectors(_uw);
        Vector256<float> uwq = default, uqq = default;
        for (int i = 0; i < w.Length; i++)
        {
            Vector256<float> q = Nearest(w[i] * inverse);
            uwq += uw[i] * q;
            uqq += u[i] * q * q;
        }

        return (Sum(uwq), Sum(uqq));
    }

    /// <summary>Σuq, Σuq² and Σuwq of the codes nearest to <c>(w − offset) · inverse</c>.</summary>
    public (double Uq, double Uqq, double Uwq) Affine(float inverse, float offset)
    {
        ReadOnlySpan<Vector256<float>> w = Vectors(_w);
        ReadOnlySpan<Vector256<float>> u = Vectors(_u);
        ReadOnlySpan<Vector256<float>> uw = Vectors(_uw);
        Vector256<float> shift = Vector256.Create(offset);
        Vector256<float> uq = default, uqq = default, uwq = default;
        for (int i = 0; i < w.Length; i++)
        {
            Vector256<float> q = Nearest((w[i] - shift) * inverse);
            Vector256<float> weighted = u[i] * q;
            uq += weighted;
            uqq += weighted * q;
            uwq += uw[i] * q;
        }

        return (Sum(uq), Sum(uqq), Sum(uwq));
    }

    /// <summary>Σu, Σuw and Σuw² of the group.</summary>
    public (double U, double Uw, double Uww) Moments()
    {
        double u = 0, uw = 0, uww = 0;
        for (int i = 0; i < _length; i++)
        {
            u += _u[i];
            uw += _uw[i];
            uww += (double)_uw[i] * _w[i];
        }

        return (u, uw, uww);
    }

    private static Vector256<float> Nearest(Vector256<float> quotients) => Vector256.MinNative(
        Vector256.MaxNative(Vector256.Round(quotients), Vector256.Create(GroupCodes.Min)), Vector256.Create(GroupCodes.Max));

    private static double Sum(Vector256<float> lanes)
    {
        Vector128<float> four = lanes.GetLower() + lanes.GetUpper();
        return ((double)four[0] + four[1]) + ((double)four[2] + four[3]);
    }

    private ReadOnlySpan<Vector256<float>> Vectors(float[] values) => MemoryMarshal.Cast<float, Vector256<float>>(values.AsSpan(0, _length));

    private static int Padded(int columns) => (int)Math.Min(((long)columns + s_lanes - 1) / s_lanes * s_lanes, Array.MaxLength);
}
