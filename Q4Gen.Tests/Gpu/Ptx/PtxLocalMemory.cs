using System.Runtime.InteropServices;

namespace Q4Gen.Tests.Gpu.Ptx;

/// <summary>The local memory of a warp's threads: each has its own bytes at the same addresses.</summary>
internal sealed class PtxLocalMemory(int bytes)
{
    /// <summary>The address of the first byte.</summary>
    public const uint Base = 256;

    /// <summary>Where local memory begins among the generic addresses.</summary>
    public const ulong GenericWindow = 0x7F00_0000_0000_0000;

    private readonly byte[] _bytes = new byte[bytes * Lane.Count];
    private readonly bool[] _written = new bool[bytes * Lane.Count];

    public void Reset() => Array.Clear(_written);

    public ref byte Load(int lane, ulong address, int size)
    {
        int place = Check(lane, address, size, "reads");
        if (_written.AsSpan(place, size).Contains(false))
        {
            throw new PtxFault($"reads {size} bytes at offset {address - Base} of local memory, which have not been written");
        }

        return ref MemoryMarshal.GetReference(_bytes.AsSpan(place, size));
    }

    public ref byte Store(int lane, ulong address, int size)
    {
        int place = Check(lane, address, size, "writes");
        _written.AsSpan(place, size).Fill(true);
        return ref MemoryMarshal.GetReference(_bytes.AsSpan(place, size));
    }

    private int Check(int lane, ulong address, int size, string verb)
    {
        long offset = (long)address - Base;
        return offset >= 0 && offset + size <= bytes && offset % size == 0
            ? (lane * bytes) + (int)offset
            : throw new PtxFault($"{verb} {size} bytes at offset {offset} of local memory ({bytes} bytes), outside of it or not aligned");
    }
}
