using System.Numerics.Tensors;

namespace Storyteller.Decoding;

/// <summary>
/// One linear layer to the decoder: <c>y[rows, out] = x[rows, in] · Wᵀ</c>, for any number of rows. It is all that the
/// decoder knows of a weight matrix, so <c>Linear4Bit.Forward</c>, <c>Linear4Bit.ForwardUnpack</c> and
/// <see cref="DenseLinear.Forward"/> run through the very same code.
/// </summary>
public delegate void LinearOp(ReadOnlySpan<float> x, Span<float> y);

/// <summary>A linear layer with float32 weights: for the tied output, and to compare 4-bit layers with.</summary>
/// <param name="weight">Row-major <c>[out, in]</c>; used in place.</param>
/// <param name="inFeatures">Input features.</param>
public sealed class DenseLinear(float[] weight, int inFeatures)
{
    private readonly int _out = weight.Length / inFeatures;

    /// <inheritdoc cref="LinearOp"/>
    public void Forward(ReadOnlySpan<float> x, Span<float> y)
    {
        // Outputs outside, rows inside: a row of weights is read once for the whole batch.
        int rows = x.Length / inFeatures;
        for (int o = 0; o < _out; o++)
        {
            ReadOnlySpan<float> w = weight.AsSpan(o * inFeatures, inFeatures);
            for (int row = 0; row < rows; row++)
            {
                y[row * _out + o] = TensorPrimitives.Dot(x.Slice(row * inFeatures, inFeatures), w);
            }
        }
    }
}
