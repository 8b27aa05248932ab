using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Q4Gen.Tests.Gpu.Ptx;

/// <summary>A buffer of global memory, and which threads have read and written what in the current run.</summary>
internal sealed class PtxBuffer(string name, byte[] data, PtxBufferUse use)
{
    private const long Nobody = 0;
    private const long SeveralThreads = -1;
    private const long SeveralBlocks = -1;

    private readonly bool[]? _written = use.HasFlag(PtxBufferUse.Unwritten) ? new bool[data.Length] : null;
    private int _shift;
    private Access[] _writers = [];
    private Access[] _readers = [];
    private long _bytesRead;
    private long _bytesWritten;

    public string Name => name;

    public PtxBufferUse Use => use;

    /// <summary>The bytes that all runs have read, as often as they were read.</summary>
    public long BytesRead => _bytesRead;

    public long BytesWritten => _bytesWritten;

    public ReadOnlySpan<byte> Bytes => data;

    public T[] Read<T>()
        where T : unmanaged
    {
        int unwritten = _written is null ? -1 : Array.IndexOf(_written, false);
        return unwritten < 0
            ? MemoryMarshal.Cast<byte, T>(data).ToArray()
            : throw new PtxException($"Byte {unwritten} of buffer '{name}' ({data.Length} bytes) has not been written.");
    }

    public void CopyIn(long offset, ReadOnlySpan<byte> source)
    {
        CheckCopy(offset, source.Length);
        source.CopyTo(data.AsSpan((int)offset));
        _written?.AsSpan((int)offset, source.Length).Fill(true);
    }

    public void CopyOut(long offset, Span<byte> target)
    {
        CheckCopy(offset, target.Length);
        if (_written is not null && _written.AsSpan((int)offset, target.Length).Contains(false))
        {
            throw new PtxException($"The host copies bytes of buffer '{name}' that nobody has written, from {offset} on.");
        }

        data.AsSpan((int)offset, target.Length).CopyTo(target);
    }

    public void BeginRun(int granule)
    {
        _shift = BitOperations.Log2((uint)granule);
        int entries = use.HasFlag(PtxBufferUse.ReadOnly) ? 0 : (data.Length >> _shift) + 1;
        _writers = new Access[entries];
        _readers = new Access[entries];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref byte At(long offset) => ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(data), (nint)offset);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void CheckRange(long offset, int bytes, string verb)
    {
        if ((ulong)offset > (ulong)data.Length || offset + bytes > data.Length || (offset & (bytes - 1)) != 0)
        {
            throw Misplaced(offset, bytes, verb);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void NoteRead(long offset, int bytes, PtxWarp warp, int lane, bool isUnchanging)
    {
        warp.CountRead(this, bytes);
        if (_readers.Length != 0)
        {
            NoteReadOfWritable(offset, bytes, warp, lane, isUnchanging);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public void NoteWrite(long offset, int bytes, PtxWarp warp, int lane)
    {
        if (_readers.Length == 0)
        {
            throw Fault(offset, "writes", "which is only to be read");
        }

        warp.CountWritten(this, bytes);
        long thread = warp.GlobalThread(lane);
        for (long granule = offset >> _shift; granule <= (offset + bytes - 1) >> _shift; granule++)
        {
            ref var writer = ref _writers[granule];
            if (writer.Thread != Nobody && (use.HasFlag(PtxBufferUse.WriteOnce) || !IsOrdered(writer, thread, warp)))
            {
                throw Fault(granule << _shift, "writes", "which has been written in this run before");
            }

            if (!IsOrdered(_readers[granule], thread, warp))
            {
                throw Fault(granule << _shift, "writes", "which another thread reads in the same run");
            }

            writer = new(thread, warp.Block.Index, warp.Block.Epoch);
        }

        _written?.AsSpan((int)offset, bytes).Fill(true);
    }

    private void NoteReadOfWritable(long offset, int bytes, PtxWarp warp, int lane, bool isUnchanging)
    {
        long thread = warp.GlobalThread(lane);
        for (long granule = offset >> _shift; granule <= (offset + bytes - 1) >> _shift; granule++)
        {
            var writer = _writers[granule];
            if (isUnchanging && writer.Thread != Nobody)
            {
                throw Fault(granule << _shift, "reads", "which this run writes, so that .nc may see what was there before");
            }

            if (!IsOrdered(writer, thread, warp))
            {
                throw Fault(granule << _shift, "reads", "which another thread writes in the same run");
            }

            ref var reader = ref _readers[granule];
            bool isOther = !IsOrdered(reader, thread, warp);
            bool isOfOtherBlock = isOther && reader.Block != warp.Block.Index;
            reader = new(isOther ? SeveralThreads : thread, isOfOtherBlock ? SeveralBlocks : warp.Block.Index, warp.Block.Epoch);
        }

        if (_written is not null && _written.AsSpan((int)offset, bytes).Contains(false))
        {
            throw Fault(offset, "reads", "which has not been written");
        }
    }

    private void CheckCopy(long offset, int bytes)
    {
        if (offset < 0 || offset + bytes > data.Length)
        {
            throw new PtxException($"The host copies {bytes} bytes at offset {offset} of buffer '{name}' ({data.Length} bytes), which are not in it.");
        }
    }

    private PtxFault Misplaced(long offset, int bytes, string verb) => new(
        $"{verb} {bytes} bytes at offset {offset} of buffer '{name}' ({data.Length} bytes)"
        + (offset >= 0 && offset + bytes <= data.Length ? $", which is not aligned to {bytes}" : ", outside of it"));

    private PtxFault Fault(long offset, string verb, string reason) =>
        new($"{verb} at offset {offset} of buffer '{name}' ({data.Length} bytes), {reason}");

    public void CountRead(long bytes) => Interlocked.Add(ref _bytesRead, bytes);

    public void CountWritten(long bytes) => Interlocked.Add(ref _bytesWritten, bytes);

    /// <summary>Whether an access has happened before what the thread does now: its own, or one before the block's last barrier.</summary>
    private static bool IsOrdered(Access access, long thread, PtxWarp warp) =>
        access.Thread == Nobody || access.Thread == thread || (access.Block == warp.Block.Index && access.Epoch < warp.Block.Epoch);

    private readonly record struct Access(long Thread, long Block, int Epoch);
}
