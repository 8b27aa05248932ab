using System.Buffers.Binary;
using Q4Gen.Format;
using Q4Gen.Import.Conversion;

namespace Q4Gen.Import.Gguf;

/// <summary>Blocks of 4 bits, whose nibbles need only another order, as layers of groups of 32.</summary>
internal static class GgufLayers
{
    /// <summary>Columns of a block of Q4_0 and Q4_1 and of a sub-block of Q4_K, which become a group.</summary>
    public const int Group = 32;

    private const int GroupBytes = Group / 2;
    private const int SuperBlock = 256;
    private const int ChunkBytes = 1 << 18;

    /// <summary>Whether a type's nibbles are kept.</summary>
    public static bool KeepsNibbles(GgufTensorType type) =>
        type is GgufTensorType.Q4_0 or GgufTensorType.Q4_1 or GgufTensorType.Q4_K;

    /// <summary>Converts a matrix of such a type.</summary>
    /// <param name="blocks">U8 <c>[out, bytes of a row]</c>.</param>
    /// <param name="type">What the blocks are.</param>
    /// <param name="shape">The layer's shape, of groups of 32.</param>
    /// <param name="what">What messages call the tensor.</param>
    /// <exception cref="WeightFormatException">A scale or an offset is not finite in F16.</exception>
    public static ConvertedLayer Convert(WeightTensor blocks, GgufTensorType type, Linear4BitShape shape, string what)
    {
        var layer = new LayerBuilder(shape, type != GgufTensorType.Q4_0, what);
        int rowBytes = (int)blocks.Shape[1];
        int chunkRows = Math.Clamp(ChunkBytes / rowBytes, 1, shape.Out);
        byte[] buffer = new byte[chunkRows * rowBytes];
        for (int first = 0; first < shape.Out; first += chunkRows)
        {
            int rows = Math.Min(chunkRows, shape.Out - first);
            ReadOnlySpan<byte> bytes = blocks.Read((long)first * rowBytes, buffer.AsSpan(0, rows * rowBytes));
            for (int i = 0; i < rows; i++)
            {
                ReadOnlySpan<byte> row = bytes.Slice(i * rowBytes, rowBytes);
                if (type == GgufTensorType.Q4_K)
                {
                    ConvertSuperBlocks(layer, first + i, row);
                }
                else
                {
                    ConvertBlocks(layer, first + i, row, type);
                }
            }
        }

        return layer.Build();
    }

    /// <summary>
    /// Q4_0 is <c>(q − 8) · d</c>, which is ours. Q4_1 is <c>q · d + m = (q − 8) · d + (m + 8d)</c>: the scale stays, and so
    /// do the weights where m + 8d is an F16, which it is wherever −8d is between half and twice m.
    /// </summary>
    private static void ConvertBlocks(LayerBuilder layer, int row, ReadOnlySpan<byte> blocks, GgufTensorType type)
    {
        int size = GgufTypes.Block(type).Bytes;
        for (int group = 0; group * size < blocks.Length; group++)
        {
            ReadOnlySpan<byte> block = blocks.Slice(group * size, size);
            Span<byte> to = layer.Row(row).Slice(group * GroupBytes, GroupBytes);
            PairNibbles(block[^GroupBytes..], 0, to);
            PairNibbles(block[^GroupBytes..], PanelLayout.NibbleBits, to[(GroupBytes / 2)..]);
            Half scale = BinaryPrimitives.ReadHalfLittleEndian(block);
            if (type == GgufTensorType.Q4_0)
            {
                layer.SetScale(row, group, scale);
            }
            else
            {
                double minimum = (double)BinaryPrimitives.ReadHalfLittleEndian(block[2..]);
                layer.SetGroup(row, group, (double)scale, minimum + PanelLayout.NibbleBias * (double)scale);
            }
        }
    }

    /// <summary><c>q · (d · sc) − dmin · m</c>: the products have up to 17 bits, of which F16 keeps 11.</summary>
    private static void ConvertSuperBlocks(LayerBuilder layer, int row, ReadOnlySpan<byte> blocks)
    {
        int size = GgufTypes.Block(GgufTensorType.Q4_K).Bytes;
        const int perBlock = SuperBlock / Group;
        for (int b = 0; b * size < blocks.Length; b++)
        {
            ReadOnlySpan<byte> block = blocks.Slice(b * size, size);
            double d = (double)BinaryPrimitives.ReadHalfLittleEndian(block);
            double minimum = (double)BinaryPrimitives.ReadHalfLittleEndian(block[2..]);
            for (int s = 0; s < perBlock; s++)
            {
                int group = b * perBlock + s;
                (int scaleCode, int minimumCode) = GgufBlocks.ScaleAndMinimum(block[4..16], s);
                PairNibbles(
                    block.Slice(16 + s / 2 * Group, Group), s % 2 * PanelLayout.NibbleBits, layer.Row(row).Slice(group * GroupBytes, GroupBytes));
                double scale = d * scaleCode;
                layer.SetGroup(row, group, scale, PanelLayout.NibbleBias * scale - minimum * minimumCode);
            }
        }
    }

    /// <summary>One nibble of each byte, for neighbouring columns: two into a byte.</summary>
    private static void PairNibbles(ReadOnlySpan<byte> from, int shift, Span<byte> to)
    {
        for (int i = 0; i < from.Length / 2; i++)
        {
            to[i] = (byte)((from[2 * i] >> shift & 15) | (from[2 * i + 1] >> shift & 15) << PanelLayout.NibbleBits);
        }
    }
}
