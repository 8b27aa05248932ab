using System.Buffers.Binary;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Q4Gen.Format;
using Q4Gen.Kernels;

namespace Q4Gen.Packing;

/// <summary>
/// Moves weights between the layout of files, <c>[out, in/2]</c> bytes and <c>[out, groups]</c> scales, and panel
/// layout R16K8. Both ways are transposes of whole elements, 4-byte words and 2-byte scales; no nibble moves.
/// </summary>
internal static unsafe class PanelPacker
{
    /// <summary>Packs a whole layer.</summary>
    /// <param name="shape">The layer's shape.</param>
    /// <param name="weight4Bit"><c>[out, in/2]</c>.</param>
    /// <param name="scales4Bit"><c>[out, groups]</c>; finite.</param>
    /// <param name="bias"><c>[out]</c>, finite; empty for none.</param>
    /// <param name="offsets4Bit"><c>[out, groups]</c>, finite; empty for weights without.</param>
    /// <param name="order4Bit">The input feature of each column, <c>[in]</c>, each once; empty where columns are in the order of inputs.</param>
    /// <exception cref="ArgumentOutOfRangeException">No layer has this shape.</exception>
    /// <exception cref="ArgumentException">A span has the wrong length, a scale, offset or bias is not finite, or the order is none.</exception>
    public static PackedWeights Pack(
        Linear4BitShape shape,
        ReadOnlySpan<byte> weight4Bit,
        ReadOnlySpan<Half> scales4Bit,
        ReadOnlySpan<float> bias = default,
        ReadOnlySpan<Half> offsets4Bit = default,
        ReadOnlySpan<int> order4Bit = default)
    {
        shape.Validate();
        CheckLength(weight4Bit.Length, shape.WeightBytes, "bytes", $"[out = {shape.Out}, in/2 = {shape.In / 2}]", nameof(weight4Bit));
        CheckLength(scales4Bit.Length, shape.ScaleCount, "scales",
            $"[out = {shape.Out}, groups = {shape.Groups}] (groups of {shape.Group} columns)", nameof(scales4Bit));
        if (!offsets4Bit.IsEmpty)
        {
            CheckLength(offsets4Bit.Length, shape.ScaleCount, "offsets",
                $"[out = {shape.Out}, groups = {shape.Groups}], or nothing where the weights are not affine", nameof(offsets4Bit));
        }

        if (!bias.IsEmpty)
        {
            CheckLength(bias.Length, shape.Out, "elements", $"[out = {shape.Out}], or nothing where the layer has no bias", nameof(bias));
        }

        int bad = IndexOfNonFinite(scales4Bit);
        if (bad >= 0)
        {
            throw new ArgumentException(
                $"{nameof(scales4Bit)}[{bad / shape.Groups}, {bad % shape.Groups}] is {scales4Bit[bad]}, but every scale must be finite; "
                + "the data is damaged or the matrix was quantised from values that F16 scales cannot reach.", nameof(scales4Bit));
        }

        bad = IndexOfNonFinite(offsets4Bit);
        if (bad >= 0)
        {
            throw new ArgumentException(
                $"{nameof(offsets4Bit)}[{bad / shape.Groups}, {bad % shape.Groups}] is {offsets4Bit[bad]}, but every offset must be finite.", nameof(offsets4Bit));
        }

        bad = IndexOfNonFinite(bias);
        if (bad >= 0)
        {
            throw new ArgumentException($"{nameof(bias)}[{bad}] is {bias[bad]}, but every bias must be finite.", nameof(bias));
        }

        if (!order4Bit.IsEmpty)
        {
            CheckLength(order4Bit.Length, shape.In, "elements", $"[in = {shape.In}], or nothing where columns are in the order of inputs", nameof(order4Bit));
            if (InputOrder.FindFlaw(order4Bit) is { } flaw)
            {
                throw new ArgumentException($"{nameof(order4Bit)} {flaw}.", nameof(order4Bit));
            }
        }

        var target = new PackedWeights(shape, hasBias: !bias.IsEmpty, isAffine: !offsets4Bit.IsEmpty, hasInputOrder: !InputOrder.IsIdentity(order4Bit));
        PackRows(target, 0, weight4Bit);
        PackGroups(target, 0, scales4Bit, areOffsets: false);
        if (target.IsAffine)
        {
            PackGroups(target, 0, offsets4Bit, areOffsets: true);
        }

        SetBias(target, bias);
        SetOrder(target, order4Bit);
        return target;
    }

    /// <summary>Packs some rows of weights, so that a caller can stream a matrix through a window.</summary>
    /// <param name="target">Weights that nobody computes with yet.</param>
    /// <param name="firstRow">The first row: a multiple of 16.</param>
    /// <param name="weightRows"><c>[rows, in/2]</c>; the number of rows is a multiple of 16 or reaches to the last row.</param>
    /// <exception cref="ArgumentException">These are not such rows.</exception>
    public static void PackRows(PackedWeights target, int firstRow, ReadOnlySpan<byte> weightRows)
    {
        int rowBytes = target.Shape.In / 2;
        int rows = CountRows(target.Shape, firstRow, weightRows.Length, rowBytes, nameof(weightRows));
        fixed (byte* source = weightRows)
        {
            for (int row = 0; row < rows; row += PanelLayout.PanelRows)
            {
                int lanes = Math.Min(PanelLayout.PanelRows, rows - row);
                PackPanel(source + (nint)row * rowBytes, rowBytes, lanes, target.Words((firstRow + row) / PanelLayout.PanelRows));
            }
        }
    }

    /// <summary>
    /// Packs some rows of scales, or of the offsets beside them. Whether they are finite is the caller's to check: see
    /// <see cref="IndexOfNonFinite(ReadOnlySpan{Half})"/>.
    /// </summary>
    /// <param name="target">Weights that nobody computes with yet.</param>
    /// <param name="firstRow">The first row: a multiple of 16.</param>
    /// <param name="groupRows"><c>[rows, groups]</c>; the number of rows is a multiple of 16 or reaches to the last row.</param>
    /// <param name="areOffsets">Whether these are the offsets of affine weights.</param>
    /// <exception cref="ArgumentException">These are not such rows.</exception>
    public static void PackGroups(PackedWeights target, int firstRow, ReadOnlySpan<Half> groupRows, bool areOffsets)
    {
        int groups = target.Shape.Groups;
        int rows = CountRows(target.Shape, firstRow, groupRows.Length, groups, nameof(groupRows));
        int firstPanel = firstRow / PanelLayout.PanelRows;
        short* panels = areOffsets ? target.Offsets(firstPanel) : target.Scales(firstPanel);
        ReadOnlySpan<short> bits = MemoryMarshal.Cast<Half, short>(groupRows);
        for (int row = 0; row < rows; row++)
        {
            short* lane = Lane(panels + (nint)(row / PanelLayout.PanelRows) * groups * PanelLayout.PanelRows, row);
            ReadOnlySpan<short> values = bits.Slice(row * groups, groups);
            for (int group = 0; group < values.Length; group++)
            {
                lane[(nint)group * PanelLayout.PanelRows] = values[group];
            }
        }
    }

    /// <summary>Sets the bias; nothing where the layer declares none. Whether it is finite is the caller's to check.</summary>
    /// <exception cref="ArgumentException">There is not one element an output, or the layer declares no bias.</exception>
    public static void SetBias(PackedWeights target, ReadOnlySpan<float> bias)
    {
        CheckLength(bias.Length, target.HasBias ? target.Shape.Out : 0, "elements",
            target.HasBias ? $"[out = {target.Shape.Out}]" : "a layer without bias", nameof(bias));
        bias.CopyTo(new Span<float>(target.Bias, bias.Length));
    }

    /// <summary>Sets the order of columns; nothing where the layer has none. Whether it is one is the caller's to check.</summary>
    public static void SetOrder(PackedWeights target, ReadOnlySpan<int> order4Bit)
    {
        if (target.HasInputOrder)
        {
            order4Bit.CopyTo(new Span<int>(target.Order, target.Shape.In));
        }
    }

    /// <summary>The order of columns; where the layer has none of its own, that of inputs.</summary>
    /// <exception cref="ArgumentException">The destination has another length.</exception>
    public static void CopyOrder(PackedWeights source, Span<int> order4Bit)
    {
        CheckLength(order4Bit.Length, source.Shape.In, "elements", $"[in = {source.Shape.In}]", nameof(order4Bit));
        for (int k = 0; k < order4Bit.Length; k++)
        {
            order4Bit[k] = source.HasInputOrder ? source.Order[k] : k;
        }
    }

    /// <summary>The layout of files back: <c>[out, in/2]</c>.</summary>
    /// <exception cref="ArgumentException">The destination has another length.</exception>
    public static void UnpackRows(PackedWeights source, Span<byte> weight4Bit)
    {
        Linear4BitShape shape = source.Shape;
        int rowBytes = shape.In / 2;
        CheckLength(weight4Bit.Length, shape.WeightBytes, "bytes", $"[out = {shape.Out}, in/2 = {rowBytes}]", nameof(weight4Bit));
        Span<byte> last = stackalloc byte[sizeof(uint)];
        for (int row = 0; row < shape.Out; row++)
        {
            uint* lane = Lane(source.Words(row / PanelLayout.PanelRows), row);
            Span<byte> rest = weight4Bit.Slice(row * rowBytes, rowBytes);
            for (; rest.Length >= sizeof(uint); rest = rest[sizeof(uint)..], lane += PanelLayout.StepWords)
            {
                BinaryPrimitives.WriteUInt32LittleEndian(rest, *lane);
            }

            if (!rest.IsEmpty)
            {
                BinaryPrimitives.WriteUInt32LittleEndian(last, *lane);
                last[..rest.Length].CopyTo(rest);
            }
        }
    }

    /// <summary>The layout of files back: <c>[out, groups]</c>.</summary>
    /// <exception cref="ArgumentException">The destination has another length.</exception>
    public static void UnpackScales(PackedWeights source, Span<Half> scales4Bit)
    {
        Linear4BitShape shape = source.Shape;
        CheckLength(scales4Bit.Length, shape.ScaleCount, "scales", $"[out = {shape.Out}, groups = {shape.Groups}]", nameof(scales4Bit));
        UnpackGroups(source.Scales(0), shape, scales4Bit);
    }

    /// <summary>The layout of files back, <c>[out, groups]</c>: the offsets of affine weights, zeros of others.</summary>
    /// <exception cref="ArgumentException">The destination has another length.</exception>
    public static void UnpackOffsets(PackedWeights source, Span<Half> offsets4Bit)
    {
        Linear4BitShape shape = source.Shape;
        CheckLength(offsets4Bit.Length, shape.ScaleCount, "offsets", $"[out = {shape.Out}, groups = {shape.Groups}]", nameof(offsets4Bit));
        if (source.IsAffine)
        {
            UnpackGroups(source.Offsets(0), shape, offsets4Bit);
        }
        else
        {
            offsets4Bit.Clear();
        }
    }

    /// <summary>Where the first scale stands that is infinite or no number; −1 where none is.</summary>
    public static int IndexOfNonFinite(ReadOnlySpan<Half> values)
    {
        // An exponent of ones. Compared as integers, because F16 arithmetic converts one element at a time.
        const ushort exponent = 0x7C00;
        ReadOnlySpan<ushort> bits = MemoryMarshal.Cast<Half, ushort>(values);
        for (int i = 0; i < bits.Length; i++)
        {
            if ((bits[i] & exponent) == exponent)
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>Where the first element stands that is infinite or no number; −1 where none is.</summary>
    public static int IndexOfNonFinite(ReadOnlySpan<float> values)
    {
        if (values.IsEmpty || TensorPrimitives.IsFiniteAll(values))
        {
            return -1;
        }

        int i = 0;
        while (float.IsFinite(values[i]))
        {
            i++;
        }

        return i;
    }

    private static T* Lane<T>(T* panel, int row)
        where T : unmanaged => panel + row % PanelLayout.PanelRows;

    private static void UnpackGroups(short* panels, Linear4BitShape shape, Span<Half> destination)
    {
        for (int row = 0; row < shape.Out; row++)
        {
            short* lane = Lane(panels + (nint)(row / PanelLayout.PanelRows) * shape.Groups * PanelLayout.PanelRows, row);
            Span<Half> values = destination.Slice(row * shape.Groups, shape.Groups);
            for (int group = 0; group < values.Length; group++)
            {
                values[group] = BitConverter.Int16BitsToHalf(lane[(nint)group * PanelLayout.PanelRows]);
            }
        }
    }

    private static void PackPanel(byte* rows, int rowBytes, int lanes, uint* words)
    {
        int wholeWords = rowBytes / sizeof(uint);
        for (int step = 0; step < wholeWords; step++, words += PanelLayout.StepWords)
        {
            byte* source = rows + (nint)step * sizeof(uint);
            for (int lane = 0; lane < lanes; lane++, source += rowBytes)
            {
                words[lane] = BinaryPrimitives.ReadUInt32LittleEndian(new ReadOnlySpan<byte>(source, sizeof(uint)));
            }
        }

        int restBytes = rowBytes % sizeof(uint);
        if (restBytes != 0)
        {
            for (int lane = 0; lane < lanes; lane++)
            {
                words[lane] = LastWord(rows + (nint)lane * rowBytes + (nint)wholeWords * sizeof(uint), restBytes);
            }
        }
    }

    /// <summary>The word at the end of a row whose columns do not fill it, completed with zero weights.</summary>
    private static uint LastWord(byte* source, int bytes)
    {
        uint word = PanelLayout.ZeroWord << (8 * bytes);
        for (int i = 0; i < bytes; i++)
        {
            word |= (uint)source[i] << (8 * i);
        }

        return word;
    }

    private static int CountRows(Linear4BitShape shape, int firstRow, int length, int rowLength, string parameter)
    {
        int rows = length / rowLength;
        bool endsWell = rows % PanelLayout.PanelRows == 0 || firstRow + rows == shape.Out;
        if (firstRow < 0 || firstRow % PanelLayout.PanelRows != 0 || rows * rowLength != length || rows > shape.Out - firstRow || !endsWell)
        {
            throw new ArgumentException(
                $"{parameter} holds {length} elements for row {firstRow} on, but rows of {rowLength} are packed from a multiple of "
                + $"{PanelLayout.PanelRows} on, in multiples of {PanelLayout.PanelRows} or up to the last row, {shape.Out - 1}.", parameter);
        }

        return rows;
    }

    private static void CheckLength(long found, long expected, string unit, string shape, string parameter)
    {
        if (found != expected)
        {
            throw new ArgumentException($"{parameter} has {found} {unit}, but {shape} takes {expected}.", parameter);
        }
    }
}
