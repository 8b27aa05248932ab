using System.Numerics;

namespace Q4Gen.Benchmarks.Gpu;

/// <summary>Rows of y in float64, of the outputs that are checked, and what rounding errors are in proportion to.</summary>
/// <param name="Y"><c>[rows, outputs]</c>: Σ w·x + bias, with Σ offset·x where there are offsets.</param>
/// <param name="Magnitude"><c>[rows, outputs]</c>: Σ |w·x| + |bias|, with Σ |offset·x|.</param>
internal sealed record Float64Product(double[] Y, double[] Magnitude)
{
    /// <summary>Rows of W that one turn over x takes, for x is larger than caches.</summary>
    private const int OutputsPerTurn = 8;

    /// <summary>Multiplies on all processors, from the layout of files, which no kernel reads.</summary>
    public static Float64Product Of(GpuWorkload work, float[][] x)
    {
        Linear4BitShape oneRow = work.Shape with { Out = 1 };
        int count = work.Outputs.Length;
        var product = new Float64Product(new double[x.Length * count], new double[x.Length * count]);
        Parallel.For(0, (count + OutputsPerTurn - 1) / OutputsPerTurn, turn =>
        {
            int first = turn * OutputsPerTurn;
            int[] outputs = work.Outputs[first..Math.Min(first + OutputsPerTurn, count)];
            float[][] w = [.. outputs.Select(o => Linear4BitReference.Dequantize(
                oneRow,
                work.Weights.AsSpan(o * (work.Shape.In / 2), work.Shape.In / 2),
                work.Scales.AsSpan(o * work.Shape.Groups, work.Shape.Groups)))];
            float[][]? offsets = work.Offsets.Length == 0 ? null
                : [.. outputs.Select(o => Enumerable.Range(0, oneRow.In).Select(k => (float)work.Offsets[o * oneRow.Groups + k / oneRow.Group]).ToArray())];
            for (int row = 0; row < x.Length; row++)
            {
                for (int i = 0; i < outputs.Length; i++)
                {
                    (double sum, double magnitude) = Dot(w[i], x[row]);
                    if (offsets is not null)
                    {
                        (double part, double size) = Dot(offsets[i], x[row]);
                        (sum, magnitude) = (sum + part, magnitude + size);
                    }

                    float bias = work.Bias[outputs[i]];
                    product.Y[row * count + first + i] = sum + bias;
                    product.Magnitude[row * count + first + i] = magnitude + Math.Abs(bias);
                }
            }
        });
        return product;
    }

    private static (double Sum, double Magnitude) Dot(ReadOnlySpan<float> w, ReadOnlySpan<float> x)
    {
        Vector<double> sum = default, magnitude = default;
        int i = 0;
        for (; i <= w.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector.Widen(new Vector<float>(w[i..]), out Vector<double> lowW, out Vector<double> highW);
            Vector.Widen(new Vector<float>(x[i..]), out Vector<double> lowX, out Vector<double> highX);
            Vector<double> low = lowW * lowX, high = highW * highX;
            sum += low + high;
            magnitude += Vector.Abs(low) + Vector.Abs(high);
        }

        double restSum = Vector.Sum(sum), restMagnitude = Vector.Sum(magnitude);
        for (; i < w.Length; i++)
        {
            double product = (double)w[i] * x[i];
            restSum += product;
            restMagnitude += Math.Abs(product);
        }

        return (restSum, restMagnitude);
    }
}
