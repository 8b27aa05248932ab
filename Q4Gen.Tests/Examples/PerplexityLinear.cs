using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Q4Gen.Tests.Examples;

/// <summary>
/// What <c>DenseLinear</c> computes, four rows and two outputs at a time: perplexities of many ways to quantise take
/// seconds instead of minutes.
/// </summary>
internal sealed class PerplexityLinear(float[] weight, int inFeatures)
{
    private const int TileRows = 4;

    private readonly int _out = weight.Length / inFeatures;

    public void Forward(ReadOnlySpan<float> x, Span<float> y)
    {
        Assert.Equal(0, _out % 2);
        int rows = x.Length / inFeatures;
        int row = 0;
        for (; row + TileRows <= rows; row += TileRows)
        {
            for (int o = 0; o < _out; o += 2)
            {
                Tile(x.Slice(row * inFeatures, TileRows * inFeatures), o, y[(row * _out + o)..]);
            }
        }

        for (; row < rows; row++)
        {
            for (int o = 0; o < _out; o++)
            {
                y[row * _out + o] = TensorPrimitives.Dot(x.Slice(row * inFeatures, inFeatures), Weights(o));
            }
        }
    }

    private ReadOnlySpan<float> Weights(int output) => weight.AsSpan(output * inFeatures, inFeatures);

    private void Tile(ReadOnlySpan<float> x, int output, Span<float> y)
    {
        ReadOnlySpan<float> x0 = x[..inFeatures], x1 = x.Slice(inFeatures, inFeatures), x2 = x.Slice(2 * inFeatures, inFeatures), x3 = x[(3 * inFeatures)..];
        ReadOnlySpan<float> wa = Weights(output), wb = Weights(output + 1);
        ReadOnlySpan<Vector256<float>> v0 = Vectors(x0), v1 = Vectors(x1), v2 = Vectors(x2), v3 = Vectors(x3), va = Vectors(wa), vb = Vectors(wb);
        Vector256<float> a0 = default, a1 = default, a2 = default, a3 = default, b0 = default, b1 = default, b2 = default, b3 = default;
        for (int i = 0; i < va.Length; i++)
        {
            (Vector256<float> a, Vector256<float> b) = (va[i], vb[i]);
            a0 = Vector256.FusedMultiplyAdd(v0[i], a, a0);
            a1 = Vector256.FusedMultiplyAdd(v1[i], a, a1);
            a2 = Vector256.FusedMultiplyAdd(v2[i], a, a2);
            a3 = Vector256.FusedMultiplyAdd(v3[i], a, a3);
            b0 = Vector256.FusedMultiplyAdd(v0[i], b, b0);
            b1 = Vector256.FusedMultiplyAdd(v1[i], b, b1);
            b2 = Vector256.FusedMultiplyAdd(v2[i], b, b2);
            b3 = Vector256.FusedMultiplyAdd(v3[i], b, b3);
        }

        int done = va.Length * Vector256<float>.Count;
        y[0] = Vector256.Sum(a0) + Rest(x0[done..], wa[done..]);
        y[1] = Vector256.Sum(b0) + Rest(x0[done..], wb[done..]);
        y[_out] = Vector256.Sum(a1) + Rest(x1[done..], wa[done..]);
        y[_out + 1] = Vector256.Sum(b1) + Rest(x1[done..], wb[done..]);
        y[2 * _out] = Vector256.Sum(a2) + Rest(x2[done..], wa[done..]);
        y[2 * _out + 1] = Vector256.Sum(b2) + Rest(x2[done..], wb[done..]);
        y[3 * _out] = Vector256.Sum(a3) + Rest(x3[done..], wa[done..]);
        y[3 * _out + 1] = Vector256.Sum(b3) + Rest(x3[done..], wb[done..]);
    }

    private static ReadOnlySpan<Vector256<float>> Vectors(ReadOnlySpan<float> values) => MemoryMarshal.Cast<float, Vector256<float>>(values);

    private static float Rest(ReadOnlySpan<float> x, ReadOnlySpan<float> w)
    {
        float sum = 0;
        for (int i = 0; i < x.Length; i++)
        {
            sum += x[i] * w[i];
        }

        return sum;
    }
}
