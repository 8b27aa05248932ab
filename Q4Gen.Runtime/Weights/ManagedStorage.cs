namespace Q4Gen;

/// <summary>Tensors in managed memory, which the garbage collector keeps.</summary>
internal sealed class ManagedStorage(ReadOnlyMemory<byte> data, string description) : TensorStorage
{
    private bool _disposed;

    /// <inheritdoc/>
    public override long Length => data.Length;

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> Slice(long offset, int length)
    {
        Hold();
        return data.Span.Slice((int)offset, length);
    }

    /// <inheritdoc/>
    public override void Hold()
    {
        if (_disposed)
        {
            throw new ObjectDisposedException(description);
        }
    }

    /// <inheritdoc/>
    public override void Release()
    {
    }

    /// <inheritdoc/>
    public override void Dispose() => _disposed = true;
}
