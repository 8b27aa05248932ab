namespace Q4Gen.Import.Conversion;

/// <summary>
/// Rows of a query or key projection from the order in which rotary pairs are neighbours, (0, 1), (2, 3), …, into that in
/// which they are halves of a head, (0, h/2), (1, h/2 + 1), …, which Hugging Face's models have.
/// </summary>
/// <remarks>
/// llama.cpp's converter goes the other way: <c>reshape(heads, 2, h/2, in).swapaxes(1, 2)</c>. So row <c>a·h/2 + i</c> of a
/// head is row <c>2i + a</c> of the file's. Whole rows move, so what they are encoded in does not matter.
/// </remarks>
internal sealed class RotaryRows(WeightTensor input, int headSize, long rowBytes) : DerivedStorage(input, input.ByteLength)
{
    /// <summary>The tensor with its rows in the order of halves.</summary>
    /// <param name="input">Any type; rows of <paramref name="rowBytes"/> bytes, a multiple of <paramref name="headSize"/> many.</param>
    /// <param name="headSize">Rows of a head, even.</param>
    /// <param name="rowBytes">Bytes of a row.</param>
    public static WeightTensor Reorder(WeightTensor input, int headSize, long rowBytes) =>
        new(input.Type, [.. input.Shape], new RotaryRows(input, headSize, rowBytes), 0, input.ByteLength);

    /// <inheritdoc/>
    protected override void Make(long offset, Span<byte> bytes)
    {
        for (int done = 0; done < bytes.Length;)
        {
            (long row, long inRow) = Math.DivRem(offset + done, rowBytes);
            int count = (int)Math.Min(rowBytes - inRow, bytes.Length - done);
            Span<byte> target = bytes.Slice(done, count);
            Input.Read(FileRow(row) * rowBytes + inRow, target).CopyTo(target);
            done += count;
        }
    }

    private long FileRow(long row)
    {
        (long head, long inHead) = Math.DivRem(row, headSize);
        (long half, long pair) = Math.DivRem(inHead, headSize / 2);
        return head * headSize + 2 * pair + half;
    }
}
