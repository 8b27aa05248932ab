using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Q4Gen.Tests.Gpu.Ptx;

/// <summary>A view of global memory, passed to a kernel as ILGPU passes it: the address, and the number of elements.</summary>
internal readonly record struct PtxView(long Address, long Length);

/// <summary>What a kernel may do with a buffer.</summary>
[Flags]
internal enum PtxBufferUse
{
    ReadWrite = 0,

    /// <summary>Writing throws.</summary>
    ReadOnly = 1,

    /// <summary>Writing a byte for the second time in one run throws.</summary>
    WriteOnce = 2,

    /// <summary>Reading a byte that no kernel has written throws.</summary>
    Unwritten = 4,
}

/// <summary>
/// Global memory: named buffers with made-up addresses. They lie so far apart that an address that is off by any plausible
/// distance, to either side, still names the buffer that was meant, in the exception that it ends in.
/// </summary>
internal sealed class PtxMemory
{
    private const int SlotBits = 40;
    private const ulong Middle = 1UL << (SlotBits - 1);

    private readonly List<PtxBuffer> _buffers = [];

    public IReadOnlyList<PtxBuffer> Buffers => _buffers;

    public PtxBuffer this[string name] => _buffers.Single(buffer => buffer.Name == name);

    /// <summary>Copies data into a new buffer.</summary>
    /// <returns>The buffer's address, a multiple of 256 as on a GPU.</returns>
    public long Add<T>(string name, ReadOnlySpan<T> data, PtxBufferUse use = PtxBufferUse.ReadWrite)
        where T : unmanaged
    {
        if (_buffers.Exists(buffer => buffer.Name == name))
        {
            throw new ArgumentException($"There is a buffer '{name}' already.", nameof(name));
        }

        _buffers.Add(new(name, MemoryMarshal.AsBytes(data).ToArray(), use));
        return (long)(((ulong)_buffers.Count << SlotBits) | Middle);
    }

    /// <inheritdoc cref="Add{T}(string, ReadOnlySpan{T}, PtxBufferUse)"/>
    public long Add<T>(string name, T[] data, PtxBufferUse use = PtxBufferUse.ReadWrite)
        where T : unmanaged => Add(name, (ReadOnlySpan<T>)data, use);

    /// <summary>Adds a buffer that a kernel has to write before it may be read.</summary>
    public long AddUnwritten<T>(string name, int length, PtxBufferUse use = PtxBufferUse.WriteOnce)
        where T : unmanaged => Add(name, (ReadOnlySpan<T>)new T[length], use | PtxBufferUse.Unwritten);

    /// <summary>Adds a buffer and returns the view of all its elements.</summary>
    public PtxView AddView<T>(string name, T[] data, PtxBufferUse use = PtxBufferUse.ReadWrite)
        where T : unmanaged => new(Add(name, data, use), data.Length);

    /// <inheritdoc cref="AddUnwritten{T}"/>
    public PtxView AddUnwrittenView<T>(string name, int length, PtxBufferUse use = PtxBufferUse.WriteOnce)
        where T : unmanaged => new(AddUnwritten<T>(name, length, use), length);

    /// <summary>Copies a buffer's contents out, which must all have been written.</summary>
    public T[] Read<T>(string name)
        where T : unmanaged => this[name].Read<T>();

    /// <inheritdoc cref="Read{T}(string)"/>
    /// <param name="address">The address that the buffer was given.</param>
    public T[] Read<T>(long address)
        where T : unmanaged => Find((ulong)address, out _).Read<T>();

    /// <summary>Copies from the host into a buffer, as the driver does between runs.</summary>
    public void CopyIn(ulong address, ReadOnlySpan<byte> data) => Find(address, out long offset).CopyIn(offset, data);

    /// <summary>Copies from a buffer to the host; what nobody has written throws.</summary>
    public void CopyOut(ulong address, Span<byte> data) => Find(address, out long offset).CopyOut(offset, data);

    internal static bool IsGlobal(ulong address) => address < PtxSharedMemory.GenericWindow;

    /// <summary>Begins a run, of which threads' accesses to the same bytes are compared.</summary>
    /// <param name="granule">The bytes of the program's narrowest access to global memory.</param>
    internal void BeginRun(int granule)
    {
        foreach (var buffer in _buffers)
        {
            buffer.BeginRun(granule);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    internal ref byte Load(PtxWarp warp, int lane, ulong address, int bytes, bool isUnchanging = false)
    {
        var buffer = Find(address, out long offset);
        buffer.CheckRange(offset, bytes, "reads");
        buffer.NoteRead(offset, bytes, warp, lane, isUnchanging);
        return ref buffer.At(offset);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    internal ref byte Store(PtxWarp warp, int lane, ulong address, int bytes)
    {
        var buffer = Find(address, out long offset);
        buffer.CheckRange(offset, bytes, "writes");
        buffer.NoteWrite(offset, bytes, warp, lane);
        return ref buffer.At(offset);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private PtxBuffer Find(ulong address, out long offset)
    {
        ulong slot = (address >> SlotBits) - 1;
        if (slot >= (ulong)_buffers.Count)
        {
            throw Nowhere(address);
        }

        offset = (long)(address & ((1UL << SlotBits) - 1)) - (long)Middle;
        return _buffers[(int)slot];
    }

    private static PtxFault Nowhere(ulong address) => new($"uses 0x{address:X} as an address of global memory, which no buffer is near");
}
