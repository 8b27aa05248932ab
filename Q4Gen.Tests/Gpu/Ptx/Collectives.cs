using System.Numerics;
using System.Runtime.CompilerServices;

namespace Q4Gen.Tests.Gpu.Ptx;

internal enum PtxShuffle
{
    Up,
    Down,
    Butterfly,
    Index,
}

/// <summary><c>shfl.sync</c>, by the definition of the PTX ISA.</summary>
internal sealed class ShuffleInstruction(PtxShuffle mode, int target, int predicate, int a, int b, int c) : PtxCollective
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public override void Execute(PtxWarp warp, uint active)
    {
        Span<uint> values = stackalloc uint[Lane.Count];
        for (int lane = 0; lane < Lane.Count; lane++)
        {
            values[lane] = (uint)Unsafe.Add(ref warp.Slot(a), lane);
        }

        uint inRange = 0;
        Span<uint> results = stackalloc uint[Lane.Count];
        for (uint rest = active; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            int operand = (int)Unsafe.Add(ref warp.Slot(b), lane) & 31;
            int control = (int)Unsafe.Add(ref warp.Slot(c), lane);
            int mask = control >> 8 & 31;
            int last = (lane & mask) | (control & 31 & ~mask);
            int first = lane & mask;
            int source = mode switch
            {
                PtxShuffle.Up => lane - operand,
                PtxShuffle.Down => lane + operand,
                PtxShuffle.Butterfly => lane ^ operand,
                _ => first | (operand & ~mask),
            };
            bool isInRange = mode == PtxShuffle.Up ? source >= last : source <= last;
            inRange |= isInRange ? 1u << lane : 0;
            source = isInRange ? source : lane;
            if ((active >> source & 1) == 0)
            {
                warp.CurrentLane = lane;
                throw new PtxFault($"reads from lane {source}, which does not take part");
            }

            results[lane] = values[source];
        }

        for (uint rest = active; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            Lane.At<uint>(ref warp.Slot(target), lane) = results[lane];
        }

        if (predicate >= 0)
        {
            warp.SetPredicate(predicate, active, inRange);
        }
    }
}

/// <summary><c>vote.sync</c>: to a predicate, or for <c>ballot</c> to a register.</summary>
internal sealed class VoteInstruction(string mode, int target, int source, bool negated) : PtxCollective
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public override void Execute(PtxWarp warp, uint active)
    {
        uint votes = (warp.Predicates[source] ^ (negated ? uint.MaxValue : 0)) & active;
        if (mode == "ballot")
        {
            warp.Fill(target, active, votes);
            return;
        }

        bool result = mode switch
        {
            "all" => votes == active,
            "any" => votes != 0,
            _ => votes == active || votes == 0,
        };
        warp.SetPredicate(target, active, result ? uint.MaxValue : 0);
    }
}

/// <summary><c>bar.warp.sync</c>: orders the accesses to memory before it and after it.</summary>
internal sealed class WarpBarrierInstruction : PtxCollective
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public override void Execute(PtxWarp warp, uint active)
    {
        if (active == uint.MaxValue)
        {
            warp.AdvanceEpoch();
        }
    }
}

/// <summary><c>activemask</c>: the threads that happen to execute it together.</summary>
internal sealed class ActiveMaskInstruction(int target) : PtxInstruction
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public override void Execute(PtxWarp warp, uint active) => warp.Fill(target, active, active);
}
