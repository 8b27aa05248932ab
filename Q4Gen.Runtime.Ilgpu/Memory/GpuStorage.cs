namespace Q4Gen.Gpu;

/// <summary>Memory that a tensor and its slices share; it returns to its pool with the last of them.</summary>
internal sealed class GpuStorage(GpuStream stream, long bytes)
{
    private readonly DeviceMemory _buffer = stream.Pool.Rent(bytes);
    private int _owners = 1;

    public GpuStream Stream => stream;

    /// <summary>Some of its bytes; the memory may be larger than was asked for.</summary>
    public DeviceRange Bytes(long first, long count) => _buffer.All.Part(first, count);

    public void AddOwner() => Interlocked.Increment(ref _owners);

    public void Release()
    {
        if (Interlocked.Decrement(ref _owners) == 0)
        {
            stream.Pool.Return(_buffer);
        }
    }
}
