namespace Q4Gen.Quantization;

/// <summary>Sums over rows that were quantised, in float64.</summary>
internal struct MatrixError
{
    private double _squaredError;
    private double _squaredSum;
    private double _weightedError;
    private double _weightedSum;

    /// <summary>√(Σ(w − ŵ)² / Σw²).</summary>
    public readonly double Relative => _squaredSum == 0 ? 0 : Math.Sqrt(_squaredError / _squaredSum);

    /// <summary>√(Σu(w − ŵ)² / Σuw²).</summary>
    public readonly double Weighted => _weightedSum == 0 ? 0 : Math.Sqrt(_weightedError / _weightedSum);

    /// <summary>The largest |w − ŵ|.</summary>
    public double Max { get; private set; }

    /// <summary>Adds a group.</summary>
    /// <param name="w">The original.</param>
    /// <param name="importance">u as the caller gave it; empty for ones.</param>
    /// <param name="codes">−8 … 7.</param>
    /// <param name="fit">Scale and offset.</param>
    public void Add(ReadOnlySpan<float> w, ReadOnlySpan<float> importance, ReadOnlySpan<float> codes, GroupFit fit)
    {
        double scale = (double)fit.Scale;
        double offset = (double)fit.Offset;
        for (int i = 0; i < w.Length; i++)
        {
            double weight = w[i];
            double error = weight - (codes[i] * scale + offset);
            double u = importance.IsEmpty ? 1 : importance[i];
            _squaredError += error * error;
            _squaredSum += weight * weight;
            _weightedError += u * error * error;
            _weightedSum += u * weight * weight;
            Max = Math.Max(Max, Math.Abs(error));
        }
    }

    /// <summary>Adds the sums of other rows.</summary>
    public void Add(in MatrixError other)
    {
        _squaredError += other._squaredError;
        _squaredSum += other._squaredSum;
        _weightedError += other._weightedError;
        _weightedSum += other._weightedSum;
        Max = Math.Max(Max, other.Max);
    }
}
