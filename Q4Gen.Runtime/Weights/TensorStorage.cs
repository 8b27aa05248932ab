namespace Q4Gen;

/// <summary>The memory that tensors lie in: a mapped file, or a block of managed memory.</summary>
internal abstract class TensorStorage : IDisposable
{
    /// <summary>Size in bytes.</summary>
    public abstract long Length { get; }

    /// <summary>Bytes from <paramref name="offset"/> on, once the memory is known to be still what was opened.</summary>
    /// <exception cref="ObjectDisposedException">The memory is released.</exception>
    /// <exception cref="WeightFormatException">The file behind it has changed.</exception>
    public abstract ReadOnlySpan<byte> Slice(long offset, int length);

    /// <summary>
    /// As <see cref="Slice"/>, for bytes that are used once: where they lie in a file, copied into
    /// <paramref name="buffer"/>, which costs less than mapping their pages and leaves none of them in this process.
    /// </summary>
    /// <exception cref="ObjectDisposedException">The memory is released.</exception>
    /// <exception cref="WeightFormatException">The file behind it has changed.</exception>
    public virtual ReadOnlySpan<byte> Read(long offset, Span<byte> buffer) => Slice(offset, buffer.Length);

    /// <summary>Where a byte lies for as long as the memory is held; 0 where it has no lasting address.</summary>
    /// <remarks>Whether the memory is still what was opened is for the caller to ask.</remarks>
    public virtual nint Address(long offset) => 0;

    /// <summary>Keeps the memory until <see cref="Release"/>, even where <see cref="Dispose"/> comes in between.</summary>
    /// <exception cref="ObjectDisposedException">The memory is released.</exception>
    public abstract void Hold();

    /// <summary>Ends a <see cref="Hold"/>.</summary>
    public abstract void Release();

    /// <summary>Releases the memory; later accesses throw.</summary>
    public abstract void Dispose();
}
