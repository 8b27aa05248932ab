using Q4Gen.Format;

namespace Q4Gen.Import.Conversion;

/// <summary>
/// Fills a layer row by row: first the nibbles of a row, then scale and offset of each of its groups, which are rounded
/// to F16, and measures what the rounding costs.
/// </summary>
internal sealed class LayerBuilder(Linear4BitShape shape, bool affine, string what, int[]? order = null)
{
    private const int Codes = 16;

    private readonly byte[] _weights = new byte[shape.WeightBytes];
    private readonly Half[] _scales = new Half[shape.ScaleCount];
    private readonly Half[]? _offsets = affine ? new Half[shape.ScaleCount] : null;
    private double _squaredError;
    private double _squaredSum;
    private double _maxError;

    /// <summary>The nibbles of a row, two a byte, low one first; value = nibble − 8.</summary>
    public Span<byte> Row(int row) => _weights.AsSpan(row * (shape.In / 2), shape.In / 2);

    /// <summary>Sets one nibble, of a row that is still zeros.</summary>
    public void SetNibble(int row, int column, uint nibble) =>
        _weights[row * (shape.In / 2) + column / 2] |= (byte)(nibble << PanelLayout.NibbleBits * (column & 1));

    /// <summary>A scale that the file has in F16, without an offset: nothing is lost.</summary>
    /// <exception cref="WeightFormatException">It is no finite number.</exception>
    public void SetScale(int row, int group, Half scale)
    {
        Check(scale, (double)scale, "scale", row, group);
        _scales[row * shape.Groups + group] = scale;
    }

    /// <summary>Sets a group whose weights are exactly <c>(nibble − 8) · scale + offset</c>.</summary>
    /// <exception cref="WeightFormatException">Scale or offset is no finite number, or beyond F16.</exception>
    public void SetGroup(int row, int group, double scale, double offset)
    {
        var halfScale = (Half)scale;
        var halfOffset = (Half)offset;
        Check(halfScale, scale, "scale", row, group);
        Check(halfOffset, offset, "offset", row, group);
        _scales[row * shape.Groups + group] = halfScale;
        if (_offsets is not null)
        {
            _offsets[row * shape.Groups + group] = halfOffset;
        }

        Measure(row, group, scale, offset, (double)halfScale, (double)halfOffset);
    }

    /// <summary>The layer, complete.</summary>
    public ConvertedLayer Build() => new(
        new WeightTensor(TensorType.U8, [shape.Out, shape.In / 2], _weights),
        WeightTensor.FromHalf(_scales, shape.Out, shape.Groups),
        _offsets is null ? null : WeightTensor.FromHalf(_offsets, shape.Out, shape.Groups),
        order is null ? null : WeightTensor.FromInt32(order, shape.In),
        new ImportError(_squaredSum == 0 ? 0 : Math.Sqrt(_squaredError / _squaredSum), _maxError));

    /// <summary>Of equal nibbles, all weights are equal and so are their errors: sixteen products a group.</summary>
    private void Measure(int row, int group, double scale, double offset, double ourScale, double ourOffset)
    {
        Span<int> counts = stackalloc int[Codes];
        counts.Clear();
        ReadOnlySpan<byte> nibbles = Row(row);
        int first = group * shape.Group;
        int end = Math.Min(first + shape.Group, shape.In);
        for (int column = first; column < end; column++)
        {
            counts[nibbles[column / 2] >> PanelLayout.NibbleBits * (column & 1) & (Codes - 1)]++;
        }

        for (int code = 0; code < Codes; code++)
        {
            if (counts[code] != 0)
            {
                double steps = code - PanelLayout.NibbleBias;
                double weight = steps * scale + offset;
                double error = Math.Abs(steps * (scale - ourScale) + (offset - ourOffset));
                _squaredSum += counts[code] * weight * weight;
                _squaredError += counts[code] * error * error;
                _maxError = Math.Max(_maxError, error);
            }
        }
    }

    private void Check(Half rounded, double value, string kind, int row, int group)
    {
        if (!Half.IsFinite(rounded))
        {
            throw new WeightFormatException(
                $"{what}: the {kind} of row {row}, group {group} is {value.ToString(System.Globalization.CultureInfo.InvariantCulture)}, but it must be finite and below 65520 in F16; "
                + "the file is damaged, or the layer must be scaled down first.");
        }
    }
}
