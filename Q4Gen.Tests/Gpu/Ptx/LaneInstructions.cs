using System.Numerics;
using System.Runtime.CompilerServices;

namespace Q4Gen.Tests.Gpu.Ptx;

/// <summary>An operation with one operand. The types say how many bits of a register it reads and writes.</summary>
internal interface IUnary<TA, TD>
{
    static abstract TD Apply(TA a);
}

internal interface IBinary<TA, TB, TD>
{
    static abstract TD Apply(TA a, TB b);
}

internal interface ITernary<TA, TB, TC, TD>
{
    static abstract TD Apply(TA a, TB b, TC c);
}

internal interface IQuaternary<TA, TB, TC, TD, TResult>
{
    static abstract TResult Apply(TA a, TB b, TC c, TD d);
}

/// <summary>
/// The register file: 64 bits for each of 32 threads and each slot. A narrower register is in the low bits, and nobody reads the
/// others: they may hold anything.
/// </summary>
internal static class Lane
{
    public const int Count = 32;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref T At<T>(ref ulong slot, int lane) => ref Unsafe.As<ulong, T>(ref Unsafe.Add(ref slot, lane));
}

/// <summary>Applies an operation with one operand in each thread.</summary>
internal sealed class UnaryInstruction<TOperation, TA, TD>(int target, int a) : PtxInstruction
    where TOperation : struct, IUnary<TA, TD>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public override void Execute(PtxWarp warp, uint active)
    {
        ref ulong d = ref warp.Slot(target);
        ref ulong x = ref warp.Slot(a);
        if (active == uint.MaxValue)
        {
            for (int lane = 0; lane < Lane.Count; lane++)
            {
                Lane.At<TD>(ref d, lane) = TOperation.Apply(Lane.At<TA>(ref x, lane));
            }

            return;
        }

        for (uint rest = active; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            Lane.At<TD>(ref d, lane) = TOperation.Apply(Lane.At<TA>(ref x, lane));
        }
    }
}

/// <summary>Applies an operation with two operands in each thread.</summary>
internal sealed class BinaryInstruction<TOperation, TA, TB, TD>(int target, int a, int b) : PtxInstruction
    where TOperation : struct, IBinary<TA, TB, TD>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public override void Execute(PtxWarp warp, uint active)
    {
        ref ulong d = ref warp.Slot(target);
        ref ulong x = ref warp.Slot(a);
        ref ulong y = ref warp.Slot(b);
        if (active == uint.MaxValue)
        {
            for (int lane = 0; lane < Lane.Count; lane++)
            {
                Lane.At<TD>(ref d, lane) = TOperation.Apply(Lane.At<TA>(ref x, lane), Lane.At<TB>(ref y, lane));
            }

            return;
        }

        for (uint rest = active; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            Lane.At<TD>(ref d, lane) = TOperation.Apply(Lane.At<TA>(ref x, lane), Lane.At<TB>(ref y, lane));
        }
    }
}

/// <summary>Applies an operation with three operands in each thread.</summary>
internal sealed class TernaryInstruction<TOperation, TA, TB, TC, TD>(int target, int a, int b, int c) : PtxInstruction
    where TOperation : struct, ITernary<TA, TB, TC, TD>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public override void Execute(PtxWarp warp, uint active)
    {
        ref ulong d = ref warp.Slot(target);
        ref ulong x = ref warp.Slot(a);
        ref ulong y = ref warp.Slot(b);
        ref ulong z = ref warp.Slot(c);
        if (active == uint.MaxValue)
        {
            for (int lane = 0; lane < Lane.Count; lane++)
            {
                Lane.At<TD>(ref d, lane) =
                    TOperation.Apply(Lane.At<TA>(ref x, lane), Lane.At<TB>(ref y, lane), Lane.At<TC>(ref z, lane));
            }

            return;
        }

        for (uint rest = active; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            Lane.At<TD>(ref d, lane) =
                TOperation.Apply(Lane.At<TA>(ref x, lane), Lane.At<TB>(ref y, lane), Lane.At<TC>(ref z, lane));
        }
    }
}

/// <summary>Applies an operation with four operands in each thread.</summary>
internal sealed class QuaternaryInstruction<TOperation, TA, TB, TC, TD, TResult>(int target, int a, int b, int c, int d) : PtxInstruction
    where TOperation : struct, IQuaternary<TA, TB, TC, TD, TResult>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public override void Execute(PtxWarp warp, uint active)
    {
        ref ulong result = ref warp.Slot(target);
        ref ulong x = ref warp.Slot(a);
        ref ulong y = ref warp.Slot(b);
        ref ulong z = ref warp.Slot(c);
        ref ulong w = ref warp.Slot(d);
        for (uint rest = active; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            Lane.At<TResult>(ref result, lane) = TOperation.Apply(
                Lane.At<TA>(ref x, lane), Lane.At<TB>(ref y, lane), Lane.At<TC>(ref z, lane), Lane.At<TD>(ref w, lane));
        }
    }
}

/// <summary><c>mov d, {a, b}</c>: puts registers together, the first lowest.</summary>
internal sealed class PackInstruction<TPart, TWhole>(int target, int[] parts) : PtxInstruction
    where TPart : unmanaged, System.Numerics.IBinaryInteger<TPart>
    where TWhole : unmanaged, System.Numerics.IBinaryInteger<TWhole>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public override void Execute(PtxWarp warp, uint active)
    {
        int bits = Unsafe.SizeOf<TPart>() * 8;
        for (uint rest = active; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            var whole = TWhole.Zero;
            for (int part = 0; part < parts.Length; part++)
            {
                whole |= TWhole.CreateTruncating(Lane.At<TPart>(ref warp.Slot(parts[part]), lane)) << (part * bits);
            }

            Lane.At<TWhole>(ref warp.Slot(target), lane) = whole;
        }
    }
}

/// <summary><c>mov {a, b}, d</c>: takes a register apart, the lowest first.</summary>
internal sealed class UnpackInstruction<TPart, TWhole>(int[] parts, int source) : PtxInstruction
    where TPart : unmanaged, System.Numerics.IBinaryInteger<TPart>
    where TWhole : unmanaged, System.Numerics.IBinaryInteger<TWhole>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public override void Execute(PtxWarp warp, uint active)
    {
        int bits = Unsafe.SizeOf<TPart>() * 8;
        for (uint rest = active; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            var whole = Lane.At<TWhole>(ref warp.Slot(source), lane);
            for (int part = 0; part < parts.Length; part++)
            {
                Lane.At<TPart>(ref warp.Slot(parts[part]), lane) = TPart.CreateTruncating(whole >> (part * bits));
            }
        }
    }
}
