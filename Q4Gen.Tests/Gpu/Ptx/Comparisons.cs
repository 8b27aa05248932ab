using System.Numerics;
using System.Runtime.CompilerServices;

namespace Q4Gen.Tests.Gpu.Ptx;

/// <summary>A comparison, named after its modifier.</summary>
internal interface IComparison<T>
{
    static abstract bool Test(T a, T b);
}

internal readonly struct Eq<T> : IComparison<T>
    where T : INumber<T>
{
    public static bool Test(T a, T b) => a == b;
}

/// <summary>False with NaN.</summary>
internal readonly struct Ne<T> : IComparison<T>
    where T : INumber<T>
{
    public static bool Test(T a, T b) => a < b || a > b;
}

internal readonly struct Lt<T> : IComparison<T>
    where T : INumber<T>
{
    public static bool Test(T a, T b) => a < b;
}

internal readonly struct Le<T> : IComparison<T>
    where T : INumber<T>
{
    public static bool Test(T a, T b) => a <= b;
}

internal readonly struct Gt<T> : IComparison<T>
    where T : INumber<T>
{
    public static bool Test(T a, T b) => a > b;
}

internal readonly struct Ge<T> : IComparison<T>
    where T : INumber<T>
{
    public static bool Test(T a, T b) => a >= b;
}

/// <summary>A comparison that is true with NaN: the contrary of the contrary.</summary>
internal readonly struct Unless<TContrary, T> : IComparison<T>
    where TContrary : struct, IComparison<T>
{
    public static bool Test(T a, T b) => !TContrary.Test(a, b);
}

/// <summary>Whether neither is NaN.</summary>
internal readonly struct Num<T> : IComparison<T>
    where T : INumber<T>
{
    public static bool Test(T a, T b) => !T.IsNaN(a) && !T.IsNaN(b);
}

internal readonly struct FlushedComparison<TComparison, T> : IComparison<T>
    where TComparison : struct, IComparison<T>
    where T : INumber<T>
{
    public static bool Test(T a, T b) => TComparison.Test(Flushed.Flush(a), Flushed.Flush(b));
}

internal enum PtxBoolean
{
    And,
    Or,
    Xor,
    None,
}

/// <summary>What <c>setp</c> does with its comparison: which predicate it combines it with, and where the results go.</summary>
/// <param name="Target">The predicate that becomes the result, or -1.</param>
/// <param name="Contrary">The predicate that becomes the result for the opposite comparison, or -1.</param>
/// <param name="Operator">How the comparison is combined.</param>
/// <param name="With">The predicate that the comparison is combined with.</param>
/// <param name="WithNegated">Whether the opposite of that predicate is meant.</param>
internal sealed record PtxPredicateUse(int Target, int Contrary, PtxBoolean Operator, int With, bool WithNegated)
{
    public void Store(PtxWarp warp, uint active, uint truth)
    {
        if (Target >= 0)
        {
            warp.SetPredicate(Target, active, Combine(warp, truth));
        }

        if (Contrary >= 0)
        {
            warp.SetPredicate(Contrary, active, Combine(warp, ~truth));
        }
    }

    private uint Combine(PtxWarp warp, uint truth)
    {
        if (Operator == PtxBoolean.None)
        {
            return truth;
        }

        uint other = warp.Predicates[With] ^ (WithNegated ? uint.MaxValue : 0);
        return Operator switch
        {
            PtxBoolean.And => truth & other,
            PtxBoolean.Or => truth | other,
            _ => truth ^ other,
        };
    }
}

/// <summary><c>setp</c>.</summary>
internal sealed class CompareInstruction<TComparison, T>(int a, int b, PtxPredicateUse use) : PtxInstruction
    where TComparison : struct, IComparison<T>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public override void Execute(PtxWarp warp, uint active)
    {
        ref ulong x = ref warp.Slot(a);
        ref ulong y = ref warp.Slot(b);
        uint truth = 0;
        for (int lane = 0; lane < Lane.Count; lane++)
        {
            truth |= (TComparison.Test(Lane.At<T>(ref x, lane), Lane.At<T>(ref y, lane)) ? 1u : 0) << lane;
        }

        use.Store(warp, active, truth);
    }
}

/// <summary><c>set</c>: all ones or zero, or 1.0 or 0.0.</summary>
internal sealed class SetInstruction<TComparison, T, TResult>(int target, int a, int b) : PtxInstruction
    where TComparison : struct, IComparison<T>
    where TResult : INumber<TResult>
{
    public override void Execute(PtxWarp warp, uint active)
    {
        var truth = typeof(TResult) == typeof(float) ? TResult.One : TResult.CreateTruncating(-1);
        for (uint rest = active; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            bool test = TComparison.Test(Lane.At<T>(ref warp.Slot(a), lane), Lane.At<T>(ref warp.Slot(b), lane));
            Lane.At<TResult>(ref warp.Slot(target), lane) = test ? truth : TResult.Zero;
        }
    }
}

/// <summary><c>selp</c>: one or the other operand by a predicate.</summary>
internal sealed class SelectInstruction<T>(int target, int a, int b, int predicate, bool negated) : PtxInstruction
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public override void Execute(PtxWarp warp, uint active)
    {
        ref ulong d = ref warp.Slot(target);
        ref ulong x = ref warp.Slot(a);
        ref ulong y = ref warp.Slot(b);
        uint picks = warp.Predicates[predicate] ^ (negated ? uint.MaxValue : 0);
        for (uint rest = active; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            Lane.At<T>(ref d, lane) = (picks >> lane & 1) != 0 ? Lane.At<T>(ref x, lane) : Lane.At<T>(ref y, lane);
        }
    }
}

/// <summary><c>and</c>, <c>or</c>, <c>xor</c>, <c>not</c> and <c>mov</c> of predicates.</summary>
internal sealed class PredicateInstruction(int target, int a, bool aNegated, PtxBoolean operation, int b, bool bNegated) : PtxInstruction
{
    public override void Execute(PtxWarp warp, uint active)
    {
        uint truth = warp.Predicates[a] ^ (aNegated ? uint.MaxValue : 0);
        new PtxPredicateUse(target, -1, operation, b, bNegated).Store(warp, active, truth);
    }
}

/// <summary><c>testp</c>.</summary>
internal sealed class TestInstruction<T>(int predicate, int a, string property) : PtxInstruction
    where T : INumber<T>
{
    public override void Execute(PtxWarp warp, uint active)
    {
        uint truth = 0;
        for (uint rest = active; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            truth |= (Test(Lane.At<T>(ref warp.Slot(a), lane)) ? 1u : 0) << lane;
        }

        warp.SetPredicate(predicate, active, truth);
    }

    private bool Test(T value) => property switch
    {
        "finite" => T.IsFinite(value),
        "infinite" => T.IsInfinity(value),
        "number" => !T.IsNaN(value),
        "notanumber" => T.IsNaN(value),
        "normal" => T.IsNormal(value),
        _ => T.IsSubnormal(value),
    };
}
