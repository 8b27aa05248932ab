using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Q4Gen.Tests.Gpu.Ptx;

// Operations on bits, one a type, named after what it does.
internal readonly struct And<T> : IBinary<T, T, T>
    where T : IBinaryInteger<T>
{
    public static T Apply(T a, T b) => a & b;
}

internal readonly struct Or<T> : IBinary<T, T, T>
    where T : IBinaryInteger<T>
{
    public static T Apply(T a, T b) => a | b;
}

internal readonly struct Xor<T> : IBinary<T, T, T>
    where T : IBinaryInteger<T>
{
    public static T Apply(T a, T b) => a ^ b;
}

internal readonly struct Not<T> : IUnary<T, T>
    where T : IBinaryInteger<T>
{
    public static T Apply(T a) => ~a;
}

/// <summary>The C operator <c>!</c>.</summary>
internal readonly struct LogicalNot<T> : IUnary<T, T>
    where T : IBinaryInteger<T>
{
    public static T Apply(T a) => a == T.Zero ? T.One : T.Zero;
}

/// <summary>Amounts beyond the width shift everything out, where C# would take them modulo the width.</summary>
internal readonly struct ShiftLeft<T> : IBinary<T, uint, T>
    where T : IBinaryInteger<T>
{
    public static T Apply(T a, uint b) => b >= Unsafe.SizeOf<T>() * 8 ? T.Zero : a << (int)b;
}

/// <summary>Fills with the sign if the type has one.</summary>
internal readonly struct ShiftRight<T> : IBinary<T, uint, T>
    where T : IBinaryInteger<T>
{
    public static T Apply(T a, uint b)
    {
        int bits = Unsafe.SizeOf<T>() * 8;
        return b < bits ? a >> (int)b : T.IsNegative(a) ? T.AllBitsSet : T.Zero;
    }
}

/// <summary>The high word of b:a shifted left.</summary>
internal readonly struct FunnelLeftWrap : ITernary<uint, uint, uint, uint>
{
    public static uint Apply(uint a, uint b, uint c) => FunnelLeftClamp.Apply(a, b, c & 31);
}

internal readonly struct FunnelLeftClamp : ITernary<uint, uint, uint, uint>
{
    public static uint Apply(uint a, uint b, uint c) => (uint)(((((ulong)b << 32) | a) << (int)Math.Min(c, 32)) >> 32);
}

/// <summary>The low word of b:a shifted right.</summary>
internal readonly struct FunnelRightWrap : ITernary<uint, uint, uint, uint>
{
    public static uint Apply(uint a, uint b, uint c) => FunnelRightClamp.Apply(a, b, c & 31);
}

internal readonly struct FunnelRightClamp : ITernary<uint, uint, uint, uint>
{
    public static uint Apply(uint a, uint b, uint c) => (uint)((((ulong)b << 32) | a) >> (int)Math.Min(c, 32));
}

/// <summary><c>bfe</c>: c bits of a from bit b on, extended by the sign if the type has one.</summary>
internal readonly struct ExtractBits<T> : ITernary<T, uint, uint, T>
    where T : IBinaryInteger<T>
{
    public static T Apply(T a, uint b, uint c)
    {
        int bits = Unsafe.SizeOf<T>() * 8;
        int position = (int)(b & 0xFF);
        int length = (int)(c & 0xFF);
        bool isSigned = T.IsNegative(T.AllBitsSet);
        var sign = isSigned && length > 0 ? (a >> Math.Min(position + length - 1, bits - 1)) & T.One : T.Zero;
        var result = T.Zero;
        for (int bit = 0; bit < bits; bit++)
        {
            var value = bit < length && position + bit < bits ? (a >> (position + bit)) & T.One : sign;
            result |= value << bit;
        }

        return result;
    }
}

/// <summary><c>bfi</c>: b, of which d bits from bit c on are replaced by the low bits of a.</summary>
internal readonly struct InsertBits<T> : IQuaternary<T, T, uint, uint, T>
    where T : IBinaryInteger<T>
{
    public static T Apply(T a, T b, uint c, uint d)
    {
        int bits = Unsafe.SizeOf<T>() * 8;
        int position = (int)(c & 0xFF);
        int length = (int)(d & 0xFF);
        var mask = ShiftLeft<T>.Apply(length >= bits ? T.AllBitsSet : (T.One << length) - T.One, (uint)position);
        return (b & ~mask) | (ShiftLeft<T>.Apply(a, (uint)position) & mask);
    }
}

/// <summary><c>prmt</c>: each byte of the result is one of the eight bytes of b:a, or eight times its sign.</summary>
internal readonly struct PermuteBytes : ITernary<uint, uint, uint, uint>
{
    public static uint Apply(uint a, uint b, uint c)
    {
        ulong bytes = ((ulong)b << 32) | a;
        uint result = 0;
        for (int place = 0; place < 4; place++)
        {
            uint selector = (c >> (place * 4)) & 15;
            uint value = (uint)(bytes >> (int)((selector & 7) * 8)) & 0xFF;
            uint picked = (selector & 8) == 0 ? value : (value & 0x80) != 0 ? 0xFFu : 0;
            result |= picked << (place * 8);
        }

        return result;
    }
}

internal readonly struct PopulationCount<T> : IUnary<T, uint>
    where T : IBinaryInteger<T>
{
    public static uint Apply(T a) => uint.CreateTruncating(T.PopCount(a));
}

internal readonly struct LeadingZeros<T> : IUnary<T, uint>
    where T : IBinaryInteger<T>
{
    public static uint Apply(T a) => uint.CreateTruncating(T.LeadingZeroCount(a));
}

internal readonly struct ReverseBits<T> : IUnary<T, T>
    where T : IBinaryInteger<T>
{
    public static T Apply(T a)
    {
        var result = T.Zero;
        for (int bit = 0; bit < Unsafe.SizeOf<T>() * 8; bit++)
        {
            result = (result << 1) | ((a >> bit) & T.One);
        }

        return result;
    }
}

/// <summary>
/// <c>lop3.b32</c>: each bit of the result is the bit of the table that the three operands' bits number, a's highest. All 32
/// threads are computed, and the unused high words with them; the threads that are switched off keep what they have.
/// </summary>
internal sealed class LogicInstruction(int target, int a, int b, int c, int table) : PtxInstruction
{
    private readonly ulong[] _terms = [.. Enumerable.Range(0, 8).Select(term => (table >> term & 1) != 0 ? ulong.MaxValue : 0)];

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public override void Execute(PtxWarp warp, uint active)
    {
        ref ulong d = ref warp.Slot(target);
        ref ulong x = ref warp.Slot(a);
        ref ulong y = ref warp.Slot(b);
        ref ulong z = ref warp.Slot(c);
        for (int lane = 0; lane < Lane.Count; lane += Vector256<ulong>.Count)
        {
            uint lanes = (active >> lane) & 15;
            if (lanes == 0)
            {
                continue;
            }

            var result = Combine(
                Vector256.LoadUnsafe(ref x, (nuint)lane), Vector256.LoadUnsafe(ref y, (nuint)lane), Vector256.LoadUnsafe(ref z, (nuint)lane));
            if (lanes == 15)
            {
                result.StoreUnsafe(ref d, (nuint)lane);
                continue;
            }

            for (int index = 0; index < Vector256<ulong>.Count; index++)
            {
                if ((lanes >> index & 1) != 0)
                {
                    Unsafe.Add(ref d, lane + index) = result.GetElement(index);
                }
            }
        }
    }

    /// <summary>Looks the bits of a up in the four halves that those of b and c pick.</summary>
    private Vector256<ulong> Combine(Vector256<ulong> x, Vector256<ulong> y, Vector256<ulong> z)
    {
        var high = Pick(y, Pick(z, Term(7), Term(6)), Pick(z, Term(5), Term(4)));
        var low = Pick(y, Pick(z, Term(3), Term(2)), Pick(z, Term(1), Term(0)));
        return Pick(x, high, low);
    }

    private Vector256<ulong> Term(int term) => Vector256.Create(_terms[term]);

    private static Vector256<ulong> Pick(Vector256<ulong> selector, Vector256<ulong> one, Vector256<ulong> zero) =>
        Vector256.ConditionalSelect(selector, one, zero);
}
