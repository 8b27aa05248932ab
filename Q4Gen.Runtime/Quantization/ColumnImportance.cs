namespace Q4Gen;

/// <summary>
/// Sums up a layer's inputs over a calibration text to what <see cref="QuantizationOptions.Importance"/> takes: the mean
/// square of each column. Were columns uncorrelated, <c>Σ mean(x²) · (w − ŵ)²</c> would be the mean squared error of the
/// layer's output: the diagonal of the Hessian that GPTQ works with, and what llama.cpp keeps in an importance matrix.
/// For one thread at a time.
/// </summary>
/// <param name="inFeatures">Columns of the layer's matrix.</param>
public sealed class ColumnImportance(int inFeatures)
{
    private readonly double[] _squares = new double[CheckPositive(inFeatures)];

    /// <summary>Rows added so far.</summary>
    public long Rows { get; private set; }

    /// <summary>Adds inputs of the layer.</summary>
    /// <param name="x">Row-major <c>[rows, in]</c>.</param>
    /// <exception cref="ArgumentException">These are not whole rows, or an element is infinite or no number.</exception>
    public void Add(ReadOnlySpan<float> x)
    {
        if (x.Length % _squares.Length != 0)
        {
            throw new ArgumentException($"{x.Length} elements are no whole number of rows of In = {_squares.Length}.", nameof(x));
        }

        for (int i = 0; i < x.Length; i++)
        {
            if (!float.IsFinite(x[i]))
            {
                throw new ArgumentException(
                    $"Element [{i / _squares.Length}, {i % _squares.Length}] is {x[i]}, but every activation must be finite.", nameof(x));
            }
        }

        for (int i = 0; i < x.Length; i++)
        {
            _squares[i % _squares.Length] += (double)x[i] * x[i];
        }

        Rows += x.Length / _squares.Length;
    }

    /// <summary>The mean square of each column, <c>[in]</c>, in float32.</summary>
    /// <exception cref="InvalidOperationException">Nothing was added.</exception>
    public float[] ToArray() => Rows != 0
        ? Array.ConvertAll(_squares, sum => (float)Math.Min(sum / Rows, float.MaxValue))
        : throw new InvalidOperationException("No activations were added, so no column's importance is known.");

    private static int CheckPositive(int inFeatures)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(inFeatures);
        return inFeatures;
    }
}
