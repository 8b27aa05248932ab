using Q4Gen.Kernels;

namespace Q4Gen.Tool.Tune;

/// <summary>
/// Compares candidates with the definition of the layer before any of them is timed: exact kernels with the sum in
/// float64, kernels with 8-bit activations with the scalar kernel, bit for bit.
/// </summary>
internal sealed class Specification
{
    /// <summary>Rows that are compared; with 23 there are full tiles, tails of tiles and single rows in every variant.</summary>
    private const int Rows = 23;

    /// <summary>Rows that are computed in float64; the others repeat them.</summary>
    private const int DistinctRows = 3;

    /// <summary>Far above what float32 sums of any order lose, far below what a wrong weight would.</summary>
    private const double Tolerance = 2e-6;

    private static readonly int[] s_rowCounts = [1, 2, 7, Rows];

    private readonly TuneWeights _weights;
    private readonly float[] _x;
    private readonly float[] _y;
    private readonly double[] _expected;
    private readonly double[] _tolerance;

    /// <summary>The right results of some weights.</summary>
    public Specification(TuneWeights weights, Linear4BitPrecision precision)
    {
        _weights = weights;
        Linear4BitShape shape = weights.Shape;
        _x = [.. Enumerable.Range(0, Rows).SelectMany(row => weights.X.Take(((row % DistinctRows) * shape.In)..((row % DistinctRows + 1) * shape.In)))];
        _y = new float[Rows * shape.Out];
        if (precision == Linear4BitPrecision.Exact)
        {
            (_expected, double[] sizes) = weights.Reference(DistinctRows);
            _tolerance = [.. sizes.Select(static size => size * Tolerance)];
        }
        else
        {
            _expected = Scalar(weights);
            _tolerance = new double[_expected.Length];
        }
    }

    /// <summary>Throws where a candidate is wrong.</summary>
    /// <exception cref="InvalidOperationException">It is.</exception>
    public void Check(Candidate candidate, Linear4Bit layer)
    {
        Linear4BitShape shape = _weights.Shape;
        foreach (int rows in s_rowCounts)
        {
            Array.Fill(_y, float.NaN);
            layer.Forward(_x.AsSpan(0, rows * shape.In), _y.AsSpan(0, rows * shape.Out));
            for (int i = 0; i < rows * shape.Out; i++)
            {
                int same = i % (DistinctRows * shape.Out);
                if (!(Math.Abs(_y[i] - _expected[same]) <= _tolerance[same]))
                {
                    throw new InvalidOperationException(FormattableString.Invariant(
                        $"The variant {candidate.Id} of {shape} in {candidate.Kernel.Isa} is wrong: output {i % shape.Out} of row {i / shape.Out} of {rows} is {_y[i]:R}, and the specification gives {_expected[same]:R}. Nothing was tuned; please report this."));
                }
            }
        }
    }

    private static double[] Scalar(TuneWeights weights)
    {
        Linear4BitKernel kernel = new GenericInt8KernelFamily(weights.Shape).Create(KernelIsa.Scalar)!;
        using Linear4Bit layer = weights.LayerOn(kernel);
        var y = new float[DistinctRows * weights.Shape.Out];
        layer.Forward(weights.X.AsSpan(0, DistinctRows * weights.Shape.In), y);
        return [.. y.Select(static value => (double)value)];
    }
}
