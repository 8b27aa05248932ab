using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Q4Gen.Tests.Gpu.Ptx;

/// <summary>A shared variable, by its offset from the beginning of shared memory.</summary>
internal sealed record PtxSharedVariable(string Name, int Offset, int Bytes);

/// <summary>
/// The shared memory of one block, and for each granule (the program's narrowest access) who wrote and who read it last, and when.
/// Time is counted in the block's barriers, and within a warp in the warp's own ones: two accesses, one of them a write, by
/// different threads must have a barrier between them.
/// </summary>
internal sealed class PtxSharedMemory
{
    /// <summary>The address of the first byte. It is not 0, so that a lost address is noticed.</summary>
    public const uint Base = 1024;

    /// <summary>Where shared memory begins among the generic addresses.</summary>
    public const ulong GenericWindow = 0x7E00_0000_0000_0000;

    private const ushort Nobody = 0xFFFE;
    private const ushort SeveralWarps = 0xFFFF;

    /// <summary>With this bit, a number means a warp, several of whose threads have read, and otherwise a thread.</summary>
    private const ushort WholeWarp = 0x8000;

    private readonly byte[] _bytes;
    private readonly Granule[] _granules;
    private readonly Granule[] _fresh;
    private readonly int _shift;
    private readonly PtxSharedVariable[] _variables;

    public PtxSharedMemory(PtxSharedVariable[] variables, int granule)
    {
        _variables = variables;
        _shift = BitOperations.Log2((uint)granule);
        int bytes = variables.Length == 0 ? 0 : variables.Max(variable => variable.Offset + variable.Bytes);
        _bytes = new byte[bytes];
        _fresh = new Granule[((bytes + granule - 1) >> _shift) + 1];
        _fresh.AsSpan().Fill(new() { State = State.Outside, Reader = Nobody });
        foreach (var variable in variables)
        {
            int first = (variable.Offset + granule - 1) >> _shift;
            int end = (variable.Offset + variable.Bytes) >> _shift;
            if (first < end)
            {
                _fresh.AsSpan(first, end - first).Fill(new() { State = State.Unwritten, Reader = Nobody });
            }
        }

        _granules = new Granule[_fresh.Length];
    }

    private enum State : byte
    {
        /// <summary>Part of no variable.</summary>
        Outside,
        Unwritten,

        /// <summary>The target of an asynchronous copy that nobody has waited for.</summary>
        Pending,
        Written,
    }

    /// <summary>Forgets everything, for the next block.</summary>
    public void Reset() => _fresh.CopyTo(_granules, 0);

    /// <summary>A thread reads.</summary>
    public ref byte Load(PtxWarp warp, int lane, ulong address, int bytes) => ref Load(warp, warp.Thread(lane), address, bytes);

    /// <summary>A warp reads together: no thread of it may have written the bytes just before.</summary>
    public ref byte LoadForWarp(PtxWarp warp, ulong address, int bytes) => ref Load(warp, (ushort)(WholeWarp | warp.Index), address, bytes);

    /// <summary>A thread writes.</summary>
    public ref byte Store(PtxWarp warp, int lane, ulong address, int bytes) =>
        ref Write(warp, warp.Thread(lane), address, bytes, State.Written);

    /// <summary>A thread begins to copy to an address.</summary>
    public void BeginCopy(PtxWarp warp, int lane, ulong address, int bytes) =>
        Write(warp, warp.Thread(lane), address, bytes, State.Pending);

    /// <summary>The thread waits for the copy: the bytes are as if it wrote them now.</summary>
    public ref byte EndCopy(PtxWarp warp, int lane, ulong address, int bytes)
    {
        long offset = (long)address - Base;
        for (long granule = offset >> _shift; granule <= (offset + bytes - 1) >> _shift; granule++)
        {
            _granules[granule].Wrote(warp, warp.Thread(lane), State.Written);
        }

        return ref _bytes[offset];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private ref byte Load(PtxWarp warp, ushort who, ulong address, int bytes)
    {
        long offset = Check(address, bytes, "reads");
        for (long index = offset >> _shift; index <= (offset + bytes - 1) >> _shift; index++)
        {
            ref var granule = ref _granules[index];
            if (granule.State != State.Written || (granule.Writer != who && !granule.WroteBefore(warp)))
            {
                throw Unreadable(granule, offset, bytes);
            }

            granule.Read(warp, who);
        }

        return ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_bytes), (nint)offset);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private ref byte Write(PtxWarp warp, ushort who, ulong address, int bytes, State state)
    {
        long offset = Check(address, bytes, "writes");
        for (long index = offset >> _shift; index <= (offset + bytes - 1) >> _shift; index++)
        {
            ref var granule = ref _granules[index];
            if (granule.State is State.Outside or State.Pending
                || (granule.State == State.Written && granule.Writer != who && !granule.WroteBefore(warp)))
            {
                throw Unwritable(granule, offset, bytes);
            }

            if (granule.Reader != Nobody && granule.Reader != who && !granule.WasReadBefore(warp))
            {
                throw Overtakes(granule, offset, bytes);
            }

            granule.Wrote(warp, who, state);
        }

        return ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_bytes), (nint)offset);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private long Check(ulong address, int bytes, string verb)
    {
        long offset = (long)address - Base;
        return (ulong)offset < (ulong)_bytes.Length && offset + bytes <= _bytes.Length && (address & (uint)(bytes - 1)) == 0
            ? offset
            : throw Misplaced(offset, bytes, verb);
    }

    private PtxFault Misplaced(long offset, int bytes, string verb) => Fault(
        verb, offset, bytes, offset < 0 || offset + bytes > _bytes.Length ? "outside of it" : $"which is not aligned to {bytes} (address {offset + Base})");

    private PtxFault Unreadable(Granule granule, long offset, int bytes) => Fault("reads", offset, bytes, granule.State switch
    {
        State.Outside => "outside of it",
        State.Unwritten => "which have not been written",
        State.Pending => "to which cp.async still copies: nobody has waited for it",
        _ => $"which thread {granule.Writer} has written without a barrier since",
    });

    private PtxFault Unwritable(Granule granule, long offset, int bytes) => Fault("writes", offset, bytes, granule.State switch
    {
        State.Outside => "outside of it",
        State.Pending => "to which cp.async still copies: nobody has waited for it",
        _ => $"which thread {granule.Writer} has written without a barrier since",
    });

    private PtxFault Overtakes(Granule granule, long offset, int bytes) =>
        Fault("writes", offset, bytes, $"which {Reader(granule.Reader)} read without a barrier since");

    private PtxFault Fault(string verb, long offset, int bytes, string reason) => new($"{verb} {bytes} bytes {Place(offset)}, {reason}");

    private static string Reader(ushort who) => who switch
    {
        SeveralWarps => "several warps have",
        _ => (who & WholeWarp) != 0 ? $"warp {who & ~WholeWarp} has" : $"thread {who} has",
    };

    /// <summary>An address for people: the offset in the variable that contains it, or else in the one that it is nearest to.</summary>
    private string Place(long offset)
    {
        if (_variables.Length == 0)
        {
            return $"at shared address {offset + Base}";
        }

        var nearest = _variables.MinBy(variable => Math.Max(variable.Offset - offset, offset - (variable.Offset + variable.Bytes - 1)))!;
        return $"at offset {offset - nearest.Offset} of shared '{nearest.Name}' ({nearest.Bytes} bytes)";
    }

    private struct Granule
    {
        public State State;
        public ushort Writer;
        public ushort Reader;
        private int _writeEpoch;
        private int _writeWarpEpoch;
        private int _readEpoch;
        private int _readWarpEpoch;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly bool WroteBefore(PtxWarp warp) =>
            _writeEpoch < warp.Block.Epoch || (Writer / Lane.Count == warp.Index && _writeWarpEpoch < warp.Epoch);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly bool WasReadBefore(PtxWarp warp) =>
            _readEpoch < warp.Block.Epoch || (IsOf(Reader, warp) && _readWarpEpoch < warp.Epoch);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Wrote(PtxWarp warp, ushort who, State state)
        {
            State = state;
            Writer = who;
            _writeEpoch = warp.Block.Epoch;
            _writeWarpEpoch = warp.Epoch;
        }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Read(PtxWarp warp, ushort who)
        {
            if (Reader != who && Reader != Nobody && !WasReadBefore(warp))
            {
                who = IsOf(Reader, warp) ? (ushort)(WholeWarp | warp.Index) : SeveralWarps;
            }

            Reader = who;
            _readEpoch = warp.Block.Epoch;
            _readWarpEpoch = warp.Epoch;
        }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static bool IsOf(ushort who, PtxWarp warp) =>
            who < Nobody && ((who & WholeWarp) != 0 ? who & ~WholeWarp : who / Lane.Count) == warp.Index;
    }
}
