using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Q4Gen.Tests.Gpu.Ptx;

/// <summary>Up to 32 threads of a block: their registers, and their accesses to memory.</summary>
internal sealed partial class PtxWarp
{
    private readonly PtxEntry _entry;
    private readonly ulong[] _registers;
    private readonly PtxLocalMemory _local;
    private readonly int[] _threadX = new int[Lane.Count];
    private readonly int[] _threadY = new int[Lane.Count];
    private readonly int[] _threadZ = new int[Lane.Count];
    private PtxBuffer? _readBuffer;
    private PtxBuffer? _writtenBuffer;
    private long _bytesRead;
    private long _bytesWritten;

    public PtxWarp(PtxBlock block, PtxEntry entry, int index)
    {
        Block = block;
        Index = index;
        _entry = entry;
        _registers = GC.AllocateUninitializedArray<ulong>(entry.Registers * Lane.Count);
        _local = new(entry.LocalBytes);
        Defined = new uint[entry.Registers];
        Predicates = new uint[entry.Predicates];
        PredicateDefined = new uint[entry.Predicates];
        int lanes = Math.Min(Lane.Count, block.Threads - (index * Lane.Count));
        Existing = lanes == Lane.Count ? uint.MaxValue : (1u << lanes) - 1;
        for (int lane = 0; lane < Lane.Count; lane++)
        {
            int thread = Thread(lane);
            _threadX[lane] = thread % block.Size.X;
            _threadY[lane] = thread / block.Size.X % block.Size.Y;
            _threadZ[lane] = thread / block.Size.X / block.Size.Y;
        }
    }

    public PtxBlock Block { get; }

    public int Index { get; }

    /// <summary>The threads that there are: in a block's last warp perhaps fewer than 32.</summary>
    public uint Existing { get; }

    /// <summary>By slots, the threads that have written the register.</summary>
    public uint[] Defined { get; }

    /// <summary>By slots, the threads for which the predicate is true.</summary>
    public uint[] Predicates { get; }

    public uint[] PredicateDefined { get; }

    public AsyncCopies Copies { get; } = new();

    /// <summary>Grows by one with everything that orders the warp's accesses to memory.</summary>
    public int Epoch { get; private set; }

    /// <summary>The thread that an exception is about, where one thread can be named.</summary>
    public int CurrentLane { get; set; }

    /// <summary>The instructions executed, counted once for each thread.</summary>
    public long Instructions { get; private set; }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref ulong Slot(int slot) => ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_registers), slot * Lane.Count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ushort Thread(int lane) => (ushort)((Index * Lane.Count) + lane);

    /// <summary>The thread's number among all threads of the grid, from 1 on.</summary>
    public long GlobalThread(int lane) => (Block.Index * Block.Threads) + Thread(lane) + 1;

    public void AdvanceEpoch() => Epoch++;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void SetPredicate(int slot, uint active, uint truth) => Predicates[slot] = (Predicates[slot] & ~active) | (truth & active);

    /// <summary>Writes the same word to a register of all active threads.</summary>
    public void Fill(int slot, uint active, ulong value)
    {
        for (uint rest = active; rest != 0; rest &= rest - 1)
        {
            Unsafe.Add(ref Slot(slot), BitOperations.TrailingZeroCount(rest)) = value;
        }
    }

    /// <summary>The value that a register has in all active threads.</summary>
    public uint Uniform(int slot, uint active, string what)
    {
        uint value = (uint)Unsafe.Add(ref Slot(slot), BitOperations.TrailingZeroCount(active));
        for (uint rest = active; rest != 0; rest &= rest - 1)
        {
            CurrentLane = BitOperations.TrailingZeroCount(rest);
            uint other = (uint)Unsafe.Add(ref Slot(slot), CurrentLane);
            if (other != value)
            {
                throw new PtxFault($"has threads of a warp differ in {what}: {value} and {other}");
            }
        }

        return value;
    }

    public static ulong Window(PtxSpace space) => space switch
    {
        PtxSpace.Shared => PtxSharedMemory.GenericWindow,
        PtxSpace.Local => PtxLocalMemory.GenericWindow,
        _ => 0,
    };

    /// <summary>The state space that a generic address belongs to.</summary>
    public static PtxSpace SpaceOf(ulong address) =>
        PtxMemory.IsGlobal(address) ? PtxSpace.Global : address < PtxLocalMemory.GenericWindow ? PtxSpace.Shared : PtxSpace.Local;

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public ref byte Load(PtxSpace space, int lane, ulong address, int bytes)
    {
        CurrentLane = lane;
        switch (space)
        {
            case PtxSpace.Global:
                return ref Block.Memory.Load(this, lane, address, bytes);
            case PtxSpace.Unchanging:
                return ref Block.Memory.Load(this, lane, address, bytes, isUnchanging: true);
            case PtxSpace.Shared:
                return ref Block.Shared.Load(this, lane, address, bytes);
            case PtxSpace.Local:
                return ref _local.Load(lane, address, bytes);
            default:
                var actual = SpaceOf(address);
                return ref Load(actual, lane, address - Window(actual), bytes);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public ref byte Store(PtxSpace space, int lane, ulong address, int bytes)
    {
        CurrentLane = lane;
        switch (space)
        {
            case PtxSpace.Global:
                return ref Block.Memory.Store(this, lane, address, bytes);
            case PtxSpace.Shared:
                return ref Block.Shared.Store(this, lane, address, bytes);
            case PtxSpace.Local:
                return ref _local.Store(lane, address, bytes);
            default:
                var actual = SpaceOf(address);
                return ref Store(actual, lane, address - Window(actual), bytes);
        }
    }

    /// <summary>Counts what is read. The buffer is told when another is read, or the warp rests: blocks run side by side.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void CountRead(PtxBuffer buffer, int bytes)
    {
        if (_readBuffer != buffer)
        {
            _readBuffer?.CountRead(_bytesRead);
            _readBuffer = buffer;
            _bytesRead = 0;
        }

        _bytesRead += bytes;
    }

    /// <inheritdoc cref="CountRead"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void CountWritten(PtxBuffer buffer, int bytes)
    {
        if (_writtenBuffer != buffer)
        {
            _writtenBuffer?.CountWritten(_bytesWritten);
            _writtenBuffer = buffer;
            _bytesWritten = 0;
        }

        _bytesWritten += bytes;
    }

    /// <summary>Puts all threads at the entry's beginning.</summary>
    public void Reset()
    {
        Array.Clear(Defined);
        Array.Clear(PredicateDefined);
        _local.Reset();
        Copies.Reset();
        _groups.Clear();
        _groups.Add(new() { Mask = Existing });
        Exited = 0;
        _steps = 0;
        foreach (var constant in _entry.Constants)
        {
            Defined[constant.Slot] = uint.MaxValue;
            for (int lane = 0; lane < Lane.Count; lane++)
            {
                Unsafe.Add(ref Slot(constant.Slot), lane) = Value(constant, lane);
            }
        }
    }

    private void ReportCounts()
    {
        _readBuffer?.CountRead(_bytesRead);
        _writtenBuffer?.CountWritten(_bytesWritten);
        _readBuffer = null;
        _writtenBuffer = null;
        _bytesRead = 0;
        _bytesWritten = 0;
    }

    private ulong Value(PtxConstant constant, int lane) => constant.Kind switch
    {
        PtxConstantKind.Literal => constant.Value,
        PtxConstantKind.DynamicShared => constant.Value + PtxSharedMemory.Base + (ulong)_entry.DynamicSharedOffset,
        PtxConstantKind.DynamicSharedBytes => (ulong)Block.DynamicSharedBytes,
        PtxConstantKind.TidX => (ulong)_threadX[lane],
        PtxConstantKind.TidY => (ulong)_threadY[lane],
        PtxConstantKind.TidZ => (ulong)_threadZ[lane],
        PtxConstantKind.NtidX => (ulong)Block.Size.X,
        PtxConstantKind.NtidY => (ulong)Block.Size.Y,
        PtxConstantKind.NtidZ => (ulong)Block.Size.Z,
        PtxConstantKind.CtaidX => (ulong)Block.Position.X,
        PtxConstantKind.CtaidY => (ulong)Block.Position.Y,
        PtxConstantKind.CtaidZ => (ulong)Block.Position.Z,
        PtxConstantKind.NctaidX => (ulong)Block.Grid.X,
        PtxConstantKind.NctaidY => (ulong)Block.Grid.Y,
        PtxConstantKind.NctaidZ => (ulong)Block.Grid.Z,
        PtxConstantKind.LaneId => (ulong)lane,
        PtxConstantKind.WarpId => (ulong)Index,
        PtxConstantKind.WarpCount => (ulong)((Block.Threads + Lane.Count - 1) / Lane.Count),
        PtxConstantKind.LaneMaskEq => 1UL << lane,
        PtxConstantKind.LaneMaskLt => (1UL << lane) - 1,
        PtxConstantKind.LaneMaskLe => (2UL << lane) - 1,
        PtxConstantKind.LaneMaskGt => uint.MaxValue & ~((2UL << lane) - 1),
        _ => uint.MaxValue & ~((1UL << lane) - 1),
    };
}
