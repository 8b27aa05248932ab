using System.Buffers.Binary;
using Q4Gen.Format;
using Q4Gen.Import.Conversion;

namespace Q4Gen.Import.Packed;

/// <summary>
/// A layer of 4-bit integers with a scale a group and perhaps a zero point: <c>w = (q − zero) · scale</c>, which is
/// <c>(q − 8) · scale + (8 − zero) · scale</c>. Formats differ in where q, scale and zero are.
/// </summary>
internal abstract class PackedLayer(Linear4BitShape shape, WeightTensor scales, WeightTensor[] others, string what, int[]? order = null)
{
    /// <summary>Bytes of a word of eight nibbles.</summary>
    protected const int WordBytes = sizeof(uint);

    /// <summary>Nibbles of a word.</summary>
    protected const int WordNibbles = 8;

    private const int ChunkBytes = 1 << 18;

    /// <summary>In, Out and Group.</summary>
    public Linear4BitShape Shape => shape;

    /// <summary>The column of the file that stands at each of ours; null where they are the same.</summary>
    protected int[]? Order => order;

    /// <summary>Adds the layer to what is imported; zero points are read now, because it depends on them whether it has offsets.</summary>
    /// <param name="tensors">What is imported.</param>
    /// <param name="name">The layer's prefix.</param>
    /// <param name="format">What messages and reports call the format.</param>
    public void AddTo(ImportedTensors tensors, string name, string format)
    {
        bool affine = IsAffine();
        var layer = new ImportedLayer(name, format, shape, affine, order is not null, alwaysLossless: !affine && scales.Type == TensorType.F16);
        tensors.AddLayer(layer, [scales, .. others], () => Convert(affine));
    }

    /// <summary>Whether a group has an offset.</summary>
    protected virtual bool IsAffine() => ReadZeros() is { } zeros && zeros.AsSpan().ContainsAnyExcept((byte)PanelLayout.NibbleBias);

    /// <summary>Zero points by row and group, <c>[out · groups]</c>; null where all are 8.</summary>
    protected abstract byte[]? ReadZeros();

    /// <summary>What is added to each group, by row and group; null where nothing or a zero point is.</summary>
    protected virtual float[]? ReadOffsets() => null;

    /// <summary>Zero points that are no integers, by row and group; null where there are none.</summary>
    protected virtual float[]? ReadFloatZeros() => null;

    /// <summary>Fills in all nibbles.</summary>
    protected abstract void FillNibbles(LayerBuilder layer);

    /// <summary>Where the scale of a row's group is.</summary>
    protected virtual int ScaleIndex(int row, int group) => row * shape.Groups + group;

    /// <summary>Rows in the order of columns, perhaps filled up at their ends: the file's bytes are ours, or their nibbles in our order.</summary>
    protected void CopyRows(WeightTensor words, LayerBuilder layer)
    {
        int rowBytes = (int)(words.ByteLength / shape.Out);
        byte[] row = new byte[rowBytes];
        for (int o = 0; o < shape.Out; o++)
        {
            ReadOnlySpan<byte> bytes = words.Read((long)o * rowBytes, row);
            if (order is null)
            {
                bytes[..(shape.In / 2)].CopyTo(layer.Row(o));
                continue;
            }

            for (int k = 0; k < order.Length; k++)
            {
                layer.SetNibble(o, k, Nibble(bytes, order[k]));
            }
        }
    }

    /// <summary>Reads a matrix of words from top to bottom, some rows at a time.</summary>
    protected static void ReadWords(WeightTensor words, Action<int, ReadOnlySpan<byte>> takeRow)
    {
        int rows = (int)words.Shape[0];
        int rowBytes = (int)words.Shape[1] * WordBytes;
        int chunkRows = Math.Clamp(ChunkBytes / rowBytes, 1, rows);
        byte[] buffer = new byte[chunkRows * rowBytes];
        for (int first = 0; first < rows; first += chunkRows)
        {
            int count = Math.Min(chunkRows, rows - first);
            ReadOnlySpan<byte> bytes = words.Read((long)first * rowBytes, buffer.AsSpan(0, count * rowBytes));
            for (int i = 0; i < count; i++)
            {
                takeRow(first + i, bytes.Slice(i * rowBytes, rowBytes));
            }
        }
    }

    /// <summary>Nibble <paramref name="index"/> of a row of words, the lowest bits first.</summary>
    protected static byte Nibble(ReadOnlySpan<byte> words, int index) =>
        (byte)(words[index / 2] >> PanelLayout.NibbleBits * (index & 1) & 15);

    private ConvertedLayer Convert(bool affine)
    {
        var layer = new LayerBuilder(shape, affine, what, order);
        FillNibbles(layer);
        float[] scale = scales.ToSingleArray();
        byte[]? zeros = affine ? ReadZeros() : null;
        float[]? floatZeros = ReadFloatZeros();
        float[]? offsets = ReadOffsets();
        for (int o = 0; o < shape.Out; o++)
        {
            for (int g = 0; g < shape.Groups; g++)
            {
                int index = ScaleIndex(o, g);
                double step = scale[index];
                double offset = offsets is not null ? offsets[index] + PanelLayout.NibbleBias * step
                    : floatZeros is not null ? (PanelLayout.NibbleBias - (double)floatZeros[index]) * step
                    : zeros is not null ? (PanelLayout.NibbleBias - zeros[o * shape.Groups + g]) * step
                    : 0;
                layer.SetGroup(o, g, step, offset);
            }
        }

        return layer.Build();
    }
}
