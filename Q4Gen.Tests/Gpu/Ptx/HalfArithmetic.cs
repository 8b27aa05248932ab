using System.Runtime.CompilerServices;

namespace Q4Gen.Tests.Gpu.Ptx;

/// <summary>
/// Arithmetic in half precision with a single rounding. Sums and products of halves are exact in double precision. A product
/// plus a half need not be, but where it is not, the lesser of the two is too small to carry the sum to a tie between two halves:
/// products are multiples of 2^-48 with 22 significant bits, halves are multiples of 2^-24, and ties are multiples of 2^-25. So
/// rounding to double first does no harm.
/// </summary>
internal static class HalfArithmetic
{
    /// <summary>The half nearest to a number, the even one if there are two.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Half Round(double value) => BitConverter.UInt16BitsToHalf(RoundToBits(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double Widen(Half value) => Single(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Single(Half value)
    {
        uint bits = BitConverter.HalfToUInt16Bits(value);
        uint sign = (bits & 0x8000) << 16;
        uint shifted = (bits & 0x7FFF) << 13;

        // Times 2^112 moves the exponent from the half's bias to the float's, subnormal numbers included.
        float magnitude = BitConverter.UInt32BitsToSingle(shifted) * 5.192296858534828e33f;
        uint result = (bits & 0x7C00) == 0x7C00 ? shifted | 0x7F800000 : BitConverter.SingleToUInt32Bits(magnitude);
        return BitConverter.UInt32BitsToSingle(result | sign);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ushort RoundToBits(double value)
    {
        ulong bits = BitConverter.DoubleToUInt64Bits(value);
        uint sign = (uint)(bits >> 48) & 0x8000;
        double magnitude = Math.Abs(value);

        // Halfway from the largest half to 2^16, which would be even.
        if (!(magnitude < 65520))
        {
            return double.IsNaN(value) ? (ushort)0x7FFF : (ushort)(sign | 0x7C00);
        }

        if (magnitude < 6.103515625e-05)
        {
            // A subnormal half counts in 2^-24; what is below that is lost beside 2^28, whose last bit is worth as much.
            double counted = magnitude + 268435456.0;
            return (ushort)(sign | (uint)BitConverter.DoubleToUInt64Bits(counted));
        }

        ulong rounded = (bits & 0x7FFF_FFFF_FFFF_FFFF) + 0x1FF_FFFF_FFFF + ((bits >> 42) & 1);
        return (ushort)(sign | (uint)((rounded >> 42) - ((1023 - 15) << 10)));
    }
}

/// <summary><c>add.f16</c>.</summary>
internal readonly struct HalfAdd : IBinary<Half, Half, Half>
{
    public static Half Apply(Half a, Half b) => HalfArithmetic.Round(HalfArithmetic.Widen(a) + HalfArithmetic.Widen(b));
}

/// <summary><c>sub.f16</c>.</summary>
internal readonly struct HalfSubtract : IBinary<Half, Half, Half>
{
    public static Half Apply(Half a, Half b) => HalfArithmetic.Round(HalfArithmetic.Widen(a) - HalfArithmetic.Widen(b));
}

/// <summary><c>mul.f16</c>.</summary>
internal readonly struct HalfMultiply : IBinary<Half, Half, Half>
{
    public static Half Apply(Half a, Half b) => HalfArithmetic.Round(HalfArithmetic.Widen(a) * HalfArithmetic.Widen(b));
}

/// <summary><c>fma.rn.f16</c>.</summary>
internal readonly struct HalfMultiplyAdd : ITernary<Half, Half, Half, Half>
{
    public static Half Apply(Half a, Half b, Half c) =>
        HalfArithmetic.Round((HalfArithmetic.Widen(a) * HalfArithmetic.Widen(b)) + HalfArithmetic.Widen(c));
}

/// <summary><c>cvt.rn.f16x2.f32</c>: the first operand becomes the high half.</summary>
internal readonly struct PackHalves : IBinary<float, float, uint>
{
    public static uint Apply(float a, float b) =>
        ((uint)BitConverter.HalfToUInt16Bits(HalfArithmetic.Round(a)) << 16) | BitConverter.HalfToUInt16Bits(HalfArithmetic.Round(b));
}

/// <summary>An operation on both halves of a word.</summary>
internal readonly struct PackedUnary<TOperation> : IUnary<uint, uint>
    where TOperation : struct, IUnary<Half, Half>
{
    public static uint Apply(uint a) => Packed.Join(TOperation.Apply(Packed.Low(a)), TOperation.Apply(Packed.High(a)));
}

/// <inheritdoc cref="PackedUnary{TOperation}"/>
internal readonly struct PackedBinary<TOperation> : IBinary<uint, uint, uint>
    where TOperation : struct, IBinary<Half, Half, Half>
{
    public static uint Apply(uint a, uint b) =>
        Packed.Join(TOperation.Apply(Packed.Low(a), Packed.Low(b)), TOperation.Apply(Packed.High(a), Packed.High(b)));
}

/// <inheritdoc cref="PackedUnary{TOperation}"/>
internal readonly struct PackedTernary<TOperation> : ITernary<uint, uint, uint, uint>
    where TOperation : struct, ITernary<Half, Half, Half, Half>
{
    public static uint Apply(uint a, uint b, uint c) => Packed.Join(
        TOperation.Apply(Packed.Low(a), Packed.Low(b), Packed.Low(c)),
        TOperation.Apply(Packed.High(a), Packed.High(b), Packed.High(c)));
}

/// <summary>Two halves in a word.</summary>
internal static class Packed
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Half Low(uint pair) => BitConverter.UInt16BitsToHalf((ushort)pair);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Half High(uint pair) => BitConverter.UInt16BitsToHalf((ushort)(pair >> 16));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Join(Half low, Half high) =>
        ((uint)BitConverter.HalfToUInt16Bits(high) << 16) | BitConverter.HalfToUInt16Bits(low);
}
