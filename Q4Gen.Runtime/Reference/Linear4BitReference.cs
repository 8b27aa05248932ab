namespace Q4Gen;

/// <summary>
/// The layer's definition in the fewest words, straight from the layout of files: what every kernel, and the packing
/// before it, is tested against. Float64 throughout, one product after the other.
/// </summary>
public static class Linear4BitReference
{
    /// <summary>Computes <c>y[r, o] = Σₖ x[r, order[k]] · ((nibble[o, k] − 8) · scale[o, k / group] + offset[o, k / group]) + bias[o]</c>.</summary>
    /// <param name="shape">The layer's shape.</param>
    /// <param name="weight4Bit"><c>[out, in/2]</c>: byte i of a row holds column 2i in its low nibble, 2i+1 in its high one.</param>
    /// <param name="scales4Bit"><c>[out, ceil(in/group)]</c>.</param>
    /// <param name="bias"><c>[out]</c>; empty for none.</param>
    /// <param name="x">Row-major <c>[rows, in]</c>.</param>
    /// <param name="offsets4Bit"><c>[out, ceil(in/group)]</c>; empty where weights are not affine.</param>
    /// <param name="order4Bit">The input feature of each column, <c>[in]</c>; empty where columns are in the order of inputs.</param>
    /// <returns>Row-major <c>[rows, out]</c>, in float64.</returns>
    /// <exception cref="ArgumentOutOfRangeException">No layer has this shape.</exception>
    /// <exception cref="ArgumentException">A span has the wrong length.</exception>
    public static double[] Forward(
        Linear4BitShape shape,
        ReadOnlySpan<byte> weight4Bit,
        ReadOnlySpan<Half> scales4Bit,
        ReadOnlySpan<float> bias,
        ReadOnlySpan<float> x,
        ReadOnlySpan<Half> offsets4Bit = default,
        ReadOnlySpan<int> order4Bit = default)
    {
        float[] w = Dequantize(shape, weight4Bit, scales4Bit);
        Check(bias.IsEmpty || bias.Length == shape.Out, bias.Length, shape.Out, nameof(bias));
        Check(x.Length % shape.In == 0, x.Length, shape.In, nameof(x));
        Check(offsets4Bit.IsEmpty || offsets4Bit.Length == shape.ScaleCount, offsets4Bit.Length, shape.ScaleCount, nameof(offsets4Bit));
        Check(order4Bit.IsEmpty || order4Bit.Length == shape.In, order4Bit.Length, shape.In, nameof(order4Bit));
        int rows = x.Length / shape.In;
        var y = new double[(long)rows * shape.Out];
        for (int row = 0; row < rows; row++)
        {
            for (int o = 0; o < shape.Out; o++)
            {
                double sum = bias.IsEmpty ? 0 : bias[o];
                for (int k = 0; k < shape.In; k++)
                {
                    double offset = offsets4Bit.IsEmpty ? 0 : (double)offsets4Bit[o * shape.Groups + k / shape.Group];
                    int input = order4Bit.IsEmpty ? k : order4Bit[k];
                    sum += x[row * shape.In + input] * (w[(long)o * shape.In + k] + offset);
                }

                y[(long)row * shape.Out + o] = sum;
            }
        }

        return y;
    }

    /// <summary>The matrix <c>W[out, in]</c> without offsets, its columns in the order in which they are packed; exact, because 4 bits times an F16 scale fit in float32.</summary>
    /// <inheritdoc cref="Forward"/>
    public static float[] Dequantize(Linear4BitShape shape, ReadOnlySpan<byte> weight4Bit, ReadOnlySpan<Half> scales4Bit)
    {
        shape.Validate();
        Check(weight4Bit.Length == shape.WeightBytes, weight4Bit.Length, shape.WeightBytes, nameof(weight4Bit));
        Check(scales4Bit.Length == shape.ScaleCount, scales4Bit.Length, shape.ScaleCount, nameof(scales4Bit));
        var w = new float[(long)shape.Out * shape.In];
        for (int o = 0; o < shape.Out; o++)
        {
            for (int k = 0; k < shape.In; k++)
            {
                int pair = weight4Bit[o * (shape.In / 2) + k / 2];
                int nibble = k % 2 == 0 ? pair & 0xF : pair >> 4;
                float scale = (float)scales4Bit[o * shape.Groups + k / shape.Group];
                w[(long)o * shape.In + k] = (nibble - 8) * scale;
            }
        }

        return w;
    }

    private static void Check(bool fits, long found, long expected, string parameter)
    {
        if (!fits)
        {
            throw new ArgumentException($"{parameter} has {found} elements, but this shape takes {expected}, or for x a multiple of it.", parameter);
        }
    }
}
