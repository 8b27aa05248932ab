using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Q4Gen.Tests.Gpu.Ptx;

/// <summary>An address: a register, of 32 or 64 bits, and what is added to it.</summary>
internal readonly record struct PtxAddress(PtxSpace Space, int Slot, bool IsWide, long Offset)
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong Of(PtxWarp warp, int lane)
    {
        ulong register = Unsafe.Add(ref warp.Slot(Slot), lane);
        return (IsWide ? register : (uint)register) + (ulong)Offset;
    }
}

/// <summary><c>ld</c>, of one element or several.</summary>
internal sealed class LoadInstruction<TMemory, TRegister>(PtxAddress address, int[] targets) : PtxInstruction
    where TMemory : unmanaged, INumberBase<TMemory>
    where TRegister : unmanaged, INumberBase<TRegister>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public override void Execute(PtxWarp warp, uint active)
    {
        int[] slots = targets;
        for (uint rest = active; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            ref byte place = ref warp.Load(address.Space, lane, address.Of(warp, lane), Unsafe.SizeOf<TMemory>() * slots.Length);
            for (int element = 0; element < slots.Length; element++)
            {
                var value = Unsafe.ReadUnaligned<TMemory>(ref Unsafe.Add(ref place, element * Unsafe.SizeOf<TMemory>()));
                Lane.At<TRegister>(ref warp.Slot(slots[element]), lane) = TRegister.CreateTruncating(value);
            }
        }
    }
}

/// <summary><c>st</c>, of one element or several.</summary>
internal sealed class StoreInstruction<TMemory>(PtxAddress address, int[] sources) : PtxInstruction
    where TMemory : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public override void Execute(PtxWarp warp, uint active)
    {
        int[] slots = sources;
        for (uint rest = active; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            ref byte place = ref warp.Store(address.Space, lane, address.Of(warp, lane), Unsafe.SizeOf<TMemory>() * slots.Length);
            for (int element = 0; element < slots.Length; element++)
            {
                var value = Lane.At<TMemory>(ref warp.Slot(slots[element]), lane);
                Unsafe.WriteUnaligned(ref Unsafe.Add(ref place, element * Unsafe.SizeOf<TMemory>()), value);
            }
        }
    }
}

/// <summary><c>ld.param</c>: the same for all threads.</summary>
internal sealed class LoadParameterInstruction<TMemory, TRegister>(int offset, int[] targets) : PtxInstruction
    where TMemory : unmanaged, INumberBase<TMemory>
    where TRegister : unmanaged, INumberBase<TRegister>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public override void Execute(PtxWarp warp, uint active)
    {
        for (int element = 0; element < targets.Length; element++)
        {
            var value = Unsafe.ReadUnaligned<TMemory>(ref warp.Block.Parameters[offset + (element * Unsafe.SizeOf<TMemory>())]);
            for (uint rest = active; rest != 0; rest &= rest - 1)
            {
                int lane = BitOperations.TrailingZeroCount(rest);
                Lane.At<TRegister>(ref warp.Slot(targets[element]), lane) = TRegister.CreateTruncating(value);
            }
        }
    }
}

/// <summary><c>cvta</c>: between an address in a state space and a generic one.</summary>
internal sealed class ConvertAddressInstruction(int target, int source, PtxSpace space, bool toSpace) : PtxInstruction
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public override void Execute(PtxWarp warp, uint active)
    {
        ulong window = PtxWarp.Window(space);
        for (uint rest = active; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            ulong address = Unsafe.Add(ref warp.Slot(source), lane);
            if (toSpace && PtxWarp.SpaceOf(address) != space)
            {
                warp.CurrentLane = lane;
                throw new PtxFault($"takes the generic address 0x{address:X} for one of {space} memory");
            }

            Unsafe.Add(ref warp.Slot(target), lane) = toSpace ? address - window : address + window;
        }
    }
}

/// <summary>
/// <c>cp.async</c>. The source is read at once; the target is not written before the thread waits for it, and until then it must
/// not be touched.
/// </summary>
/// <param name="target">The address in shared memory.</param>
/// <param name="source">The address in global memory.</param>
/// <param name="bytes">The size of the copy.</param>
/// <param name="sourceBytes">The slot of the number of bytes to read, of which the rest become zeros, or -1 for all.</param>
internal sealed class AsyncCopyInstruction(PtxAddress target, PtxAddress source, int bytes, int sourceBytes) : PtxInstruction
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public override void Execute(PtxWarp warp, uint active)
    {
        for (uint rest = active; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            warp.CurrentLane = lane;
            ulong from = source.Of(warp, lane);
            uint count = sourceBytes < 0 ? (uint)bytes : (uint)Unsafe.Add(ref warp.Slot(sourceBytes), lane);
            if (count > bytes || (from & (uint)(bytes - 1)) != 0)
            {
                throw new PtxFault(count > bytes
                    ? $"copies {count} bytes to {bytes}"
                    : $"reads {bytes} bytes at 0x{from:X}, which is not aligned to {bytes}");
            }

            Vector128<byte> data = default;
            ref byte buffer = ref Unsafe.As<Vector128<byte>, byte>(ref data);
            if (count == bytes)
            {
                Unsafe.CopyBlock(ref buffer, ref warp.Load(source.Space, lane, from, bytes), count);
            }

            for (int part = 0; count < bytes && part < count; part++)
            {
                Unsafe.Add(ref buffer, part) = warp.Load(source.Space, lane, from + (ulong)part, 1);
            }

            ulong to = target.Of(warp, lane);
            warp.Block.Shared.BeginCopy(warp, lane, to, bytes);
            warp.Copies.Begin(lane, to, bytes, data);
        }
    }
}

/// <summary><c>cp.async.commit_group</c>.</summary>
internal sealed class CommitGroupInstruction : PtxInstruction
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public override void Execute(PtxWarp warp, uint active) => warp.Copies.Commit(active);
}

/// <summary><c>cp.async.wait_group</c>, and <c>cp.async.wait_all</c> where the number is -1.</summary>
internal sealed class WaitGroupInstruction(int pending) : PtxInstruction
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public override void Execute(PtxWarp warp, uint active) => warp.Copies.Wait(warp, active, pending);
}

/// <summary>The asynchronous copies of a warp's threads that have not been waited for.</summary>
internal sealed class AsyncCopies
{
    private readonly int[] _group = new int[Lane.Count];
    private readonly List<Copy> _copies = [];

    public void Reset()
    {
        Array.Clear(_group);
        _copies.Clear();
    }

    public void Begin(int lane, ulong target, int bytes, Vector128<byte> data) =>
        _copies.Add(new(lane, _group[lane], target, bytes, data));

    public void Commit(uint active)
    {
        for (uint rest = active; rest != 0; rest &= rest - 1)
        {
            _group[BitOperations.TrailingZeroCount(rest)]++;
        }
    }

    /// <summary>Completes the copies of all groups but the latest <paramref name="pending"/> committed ones.</summary>
    public void Wait(PtxWarp warp, uint active, int pending)
    {
        int kept = 0;
        for (int index = 0; index < _copies.Count; index++)
        {
            var copy = _copies[index];
            bool ends = (active >> copy.Lane & 1) != 0 && (pending < 0 || copy.Group < _group[copy.Lane] - pending);
            if (!ends)
            {
                _copies[kept++] = copy;
                continue;
            }

            ref byte place = ref warp.Block.Shared.EndCopy(warp, copy.Lane, copy.Target, copy.Bytes);
            Unsafe.CopyBlock(ref place, ref Unsafe.As<Vector128<byte>, byte>(ref Unsafe.AsRef(in copy.Data)), (uint)copy.Bytes);
        }

        _copies.RemoveRange(kept, _copies.Count - kept);
    }

    private readonly struct Copy(int lane, int group, ulong target, int bytes, Vector128<byte> data)
    {
        public readonly int Lane = lane;
        public readonly int Group = group;
        public readonly ulong Target = target;
        public readonly int Bytes = bytes;
        public readonly Vector128<byte> Data = data;
    }
}
