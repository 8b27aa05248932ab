using System.Globalization;

namespace Q4Gen;

/// <summary>A matrix in 4 bits as weight files hold it, and how far it is from the original.</summary>
public sealed class QuantizedMatrix
{
    private readonly byte[] _weights;
    private readonly Half[] _scales;
    private readonly Half[]? _offsets;

    internal QuantizedMatrix(Linear4BitShape shape, byte[] weights, Half[] scales, Half[]? offsets, in Quantization.MatrixError error)
    {
        Shape = shape;
        _weights = weights;
        _scales = scales;
        _offsets = offsets;
        Weight4Bit = new WeightTensor(TensorType.U8, [shape.Out, shape.In / 2], weights);
        Scales4Bit = WeightTensor.FromHalf(scales, shape.Out, shape.Groups);
        Offsets4Bit = offsets is null ? null : WeightTensor.FromHalf(offsets, shape.Out, shape.Groups);
        RelativeRmsError = error.Relative;
        WeightedRmsError = error.Weighted;
        MaxAbsoluteError = error.Max;
    }

    /// <summary>In, Out and Group.</summary>
    public Linear4BitShape Shape { get; }

    /// <summary>U8 <c>[out, in/2]</c>: byte i of a row holds column 2i in its low nibble, 2i+1 in its high one; value = nibble − 8.</summary>
    public WeightTensor Weight4Bit { get; }

    /// <summary>F16 <c>[out, ceil(in/group)]</c>; a scale may be negative or zero.</summary>
    public WeightTensor Scales4Bit { get; }

    /// <summary>
    /// F16 <c>[out, ceil(in/group)]</c>, finite: <c>w = (nibble − 8) · scale + offset</c>. Null where the matrix is
    /// symmetric.
    /// </summary>
    public WeightTensor? Offsets4Bit { get; }

    /// <summary>
    /// Error relative to the original, <c>√(Σ(w − ŵ)² / Σw²)</c>; 0 for a matrix of zeros. For normally distributed
    /// weights and signed-max scales about 0.086 in groups of 32, 0.095 in groups of 64 and 0.103 in groups of 128.
    /// </summary>
    public double RelativeRmsError { get; }

    /// <summary>
    /// The same with each column's importance u, <c>√(Σu(w − ŵ)² / Σuw²)</c>: what the search made small. Equal to
    /// <see cref="RelativeRmsError"/> where no importance was given.
    /// </summary>
    public double WeightedRmsError { get; }

    /// <summary>The largest <c>|w − ŵ|</c>, in units of the weights.</summary>
    public double MaxAbsoluteError { get; }

    internal ReadOnlySpan<byte> WeightSpan => _weights;

    internal ReadOnlySpan<Half> ScaleSpan => _scales;

    /// <summary>Empty where the matrix is symmetric.</summary>
    internal ReadOnlySpan<Half> OffsetSpan => _offsets;

    /// <summary><c>4096→11008 g128, relative RMS error 0.1032</c>, with <c>affine</c> behind the shape where there are offsets.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Shape}{(_offsets is null ? "" : " affine")}, relative RMS error {RelativeRmsError:F4}");
}
