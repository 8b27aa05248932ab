using System.Numerics;

namespace Q4Gen.Gpu;

/// <summary>
/// Device memory of one stream. What is released waits, by size, for the next that asks for as much: allocating on a
/// GPU takes long and waits for everything. Sizes are powers of two, or above a megabyte multiples of one.
/// </summary>
internal sealed class GpuPool(GpuStream stream)
{
    private const long Smallest = 256;
    private const long Megabyte = 1 << 20;

    private readonly Dictionary<long, Stack<DeviceMemory>> _free = [];
    private readonly Lock _lock = new();
    private bool _isClosed;

    /// <summary>Pieces of memory that wait to be used again.</summary>
    internal int Waiting
    {
        get
        {
            lock (_lock)
            {
                return _free.Values.Sum(static waiting => waiting.Count);
            }
        }
    }

    /// <summary>Memory of at least so many bytes.</summary>
    /// <exception cref="GpuOutOfMemoryException">The device has not as many.</exception>
    public DeviceMemory Rent(long bytes)
    {
        long size = SizeOf(bytes);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isClosed, stream);
            if (_free.TryGetValue(size, out var waiting) && waiting.TryPop(out var buffer))
            {
                return buffer;
            }
        }

        return stream.Context.Allocate(size);
    }

    /// <summary>Takes memory back for the next that asks; work on the stream that uses it may still be running.</summary>
    public void Return(DeviceMemory buffer)
    {
        lock (_lock)
        {
            // Closed: the memory is gone with the stream's context, or goes now.
            if (!_isClosed)
            {
                if (!_free.TryGetValue(buffer.Bytes, out var waiting))
                {
                    _free[buffer.Bytes] = waiting = new();
                }

                waiting.Push(buffer);
                return;
            }
        }

        buffer.Dispose();
    }

    /// <summary>Gives the device back what waits. The stream must not be using it any more.</summary>
    public void Trim()
    {
        lock (_lock)
        {
            foreach (var buffer in _free.Values.SelectMany(static waiting => waiting))
            {
                buffer.Dispose();
            }

            _free.Clear();
        }
    }

    public void Close()
    {
        // First, so that nothing returns to the pool once it is emptied.
        lock (_lock)
        {
            _isClosed = true;
        }

        Trim();
    }

    internal static long SizeOf(long bytes) =>
        bytes <= Smallest ? Smallest
        : bytes <= Megabyte ? (long)BitOperations.RoundUpToPowerOf2((ulong)bytes)
        : checked((bytes + Megabyte - 1) / Megabyte * Megabyte);
}
