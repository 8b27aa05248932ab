using System.Numerics.Tensors;

namespace Q4Gen.Benchmarks.Compare;

/// <summary>
/// One layer's weights and activations, the same for all engines, and the true result. The copies have the same values;
/// what makes them cold is that each has memory of its own.
/// </summary>
internal sealed class Workload
{
    /// <summary>Bytes of 4-bit weights over which calls rotate: no last-level cache keeps them from one call to the next.</summary>
    private const long ColdBytes = 200_000_000;

    /// <summary>Each copy is a session of ONNX Runtime. Only layers so small that they live in caches anyway would need more.</summary>
    private const int MaxCopies = 64;

    /// <summary>Rows of a result that are checked, evenly spread; each costs a product in float64.</summary>
    private const int MaxCheckedRows = 8;

    private readonly Dictionary<int, double[]> _truth = [];

    /// <summary>Random weights, as many copies as keep them cold, and <paramref name="maxRows"/> Gaussian rows of x; always the same.</summary>
    public Workload(Linear4BitShape shape, int maxRows)
        : this(shape, maxRows, (int)Math.Min(MaxCopies, (ColdBytes + shape.WeightBytes - 1) / shape.WeightBytes))
    {
    }

    /// <summary>The same with as many copies as are asked for.</summary>
    public Workload(Linear4BitShape shape, int maxRows, int copies)
    {
        Shape = shape;
        MaxRows = maxRows;
        Copies = copies;
        var random = new Random(1);
        Weights = new byte[shape.WeightBytes];
        random.NextBytes(Weights);
        Scales = new Half[shape.ScaleCount];
        foreach (ref Half scale in Scales.AsSpan())
        {
            scale = (Half)((random.NextSingle() + 0.5f) * (random.Next(2) == 0 ? 0.01f : -0.01f));
        }

        X = new float[maxRows * shape.In];
        foreach (ref float x in X.AsSpan())
        {
            x = (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        }
    }

    /// <summary>The layer's shape.</summary>
    public Linear4BitShape Shape { get; }

    /// <summary>Rows of <see cref="X"/>.</summary>
    public int MaxRows { get; }

    /// <summary>Copies of the weights that each engine holds.</summary>
    public int Copies { get; }

    /// <summary>Nibbles <c>[out, in/2]</c>.</summary>
    public byte[] Weights { get; }

    /// <summary>Scales <c>[out, groups]</c>.</summary>
    public Half[] Scales { get; }

    /// <summary>Activations <c>[<see cref="MaxRows"/>, in]</c>.</summary>
    public float[] X { get; }

    /// <summary>Bytes that a call must read: nibbles and F16 scales of one copy.</summary>
    public double WeightBytes => Shape.WeightBytes + 2.0 * Shape.ScaleCount;

    /// <summary>Whether no cache holds weights from one call to the next.</summary>
    public bool IsCold => Copies * Shape.WeightBytes >= ColdBytes;

    /// <summary>Floating-point operations of a call; a multiply-add counts as two.</summary>
    public double Operations(int rows) => 2.0 * rows * Shape.In * Shape.Out;

    /// <summary>The largest relative error of a checked row of y, in the L2 norm, against float64; infinite where y is not finite.</summary>
    public double RelativeError(ReadOnlySpan<float> y, int rows)
    {
        int[] checkedRows = CheckedRows(rows);
        AddTruth(checkedRows);
        double worst = 0;
        foreach (int row in checkedRows)
        {
            double error = 0, norm = 0;
            double[] truth = _truth[row];
            for (int o = 0; o < truth.Length; o++)
            {
                double difference = y[row * Shape.Out + o] - truth[o];
                error += difference * difference;
                norm += truth[o] * truth[o];
            }

            double relative = Math.Sqrt(error / norm);
            worst = double.IsFinite(relative) ? Math.Max(worst, relative) : double.PositiveInfinity;
        }

        return worst;
    }

    /// <summary>The first row, the last one, and some between.</summary>
    private static int[] CheckedRows(int rows)
    {
        int count = Math.Min(rows, MaxCheckedRows);
        return [.. Enumerable.Range(0, count).Select(i => count == 1 ? 0 : (int)((long)i * (rows - 1) / (count - 1)))];
    }

    private void AddTruth(int[] rows)
    {
        int[] missing = [.. rows.Where(row => !_truth.ContainsKey(row))];
        var x = new double[missing.Length][];
        for (int i = 0; i < missing.Length; i++)
        {
            x[i] = new double[Shape.In];
            TensorPrimitives.ConvertTruncating(X.AsSpan(missing[i] * Shape.In, Shape.In), x[i]);
            _truth.Add(missing[i], new double[Shape.Out]);
        }

        if (missing.Length == 0)
        {
            return;
        }

        // One row of W at a time, from the layout of files, which none of the engines' own code reads.
        Linear4BitShape oneRow = Shape with { Out = 1 };
        Parallel.For(0, Shape.Out, o =>
        {
            float[] single = Linear4BitReference.Dequantize(
                oneRow, Weights.AsSpan(o * (Shape.In / 2), Shape.In / 2), Scales.AsSpan(o * Shape.Groups, Shape.Groups));
            var w = new double[Shape.In];
            TensorPrimitives.ConvertTruncating<float, double>(single, w);
            for (int i = 0; i < missing.Length; i++)
            {
                _truth[missing[i]][o] = TensorPrimitives.Dot<double>(w, x[i]);
            }
        });
    }
}
