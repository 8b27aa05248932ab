namespace Q4Gen.Tests.Kernels;

/// <summary>
/// 8-bit activations as docs/kernels.md defines them, in the plainest code: what all kernels must give to the last bit.
/// </summary>
internal static class Int8Reference
{
    private const int MaxBlock = 256;

    public static float[] Forward(LayerData data, ReadOnlySpan<float> x)
    {
        Linear4BitShape shape = data.Shape;
        int rows = x.Length / shape.In;
        var y = new float[rows * shape.Out];
        double[][] weights = [.. Enumerable.Range(0, shape.Out).Select(data.UnpackNibbles)];
        for (int row = 0; row < rows; row++)
        {
            ReadOnlySpan<float> input = x.Slice(row * shape.In, shape.In);
            var totals = new float[shape.Out];
            for (int start = 0; start < shape.In;)
            {
                int group = start / shape.Group;
                int end = (int)Math.Min(Math.Min(start + MaxBlock, (group + 1L) * shape.Group), shape.In);
                float max = 0;
                foreach (float value in input[start..end])
                {
                    max = MathF.Max(max, MathF.Abs(value));
                }

                bool isZero = max < 1e-36f;
                float unit = isZero ? 0 : max / 127;
                float inverse = isZero ? 0 : 127 / max;
                for (int output = 0; output < shape.Out; output++)
                {
                    double sum = 0;
                    for (int k = start; k < end; k++)
                    {
                        double rounded = MathF.Round(input[k] * inverse, MidpointRounding.ToEven);
                        sum += double.IsNaN(rounded) ? 0 : weights[output][k] * rounded;
                    }

                    float scale = (float)data.Scales[output * shape.Groups + group] * unit;
                    totals[output] = MathF.FusedMultiplyAdd((float)sum, scale, totals[output]);
                }

                start = end;
            }

            for (int output = 0; output < shape.Out; output++)
            {
                y[row * shape.Out + output] = (data.Bias.Length == 0 ? 0 : data.Bias[output]) + totals[output];
            }
        }

        return y;
    }
}
