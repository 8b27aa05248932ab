namespace Q4Gen.Import.Conversion;

/// <summary>Memory whose bytes are made from another tensor's, as many at a time as are asked for.</summary>
internal abstract class DerivedStorage(WeightTensor input, long length) : TensorStorage
{
    /// <inheritdoc/>
    public override long Length => length;

    /// <summary>What the bytes are made from.</summary>
    protected WeightTensor Input => input;

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> Slice(long offset, int length)
    {
        input.Bytes(0, 0);
        byte[] bytes = new byte[length];
        Make(offset, bytes);
        return bytes;
    }

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> Read(long offset, Span<byte> buffer)
    {
        input.Bytes(0, 0);
        Make(offset, buffer);
        return buffer;
    }

    /// <inheritdoc/>
    public override void Hold() => input.Hold();

    /// <inheritdoc/>
    public override void Release() => input.Release();

    /// <summary>Nothing: the source owns the file.</summary>
    public override void Dispose()
    {
    }

    /// <summary>Fills <paramref name="bytes"/> with those from <paramref name="offset"/> on.</summary>
    protected abstract void Make(long offset, Span<byte> bytes);
}
