using Q4Gen.Tests.Kernels;

namespace Q4Gen.Tests.Gpu.Ptx;

/// <summary>Arithmetic in half precision, compared with exact integers and a single rounding.</summary>
[Trait(Emulated.Trait, Emulated.Never)]
public class PtxHalfTests
{
    /// <summary>The finite halves from zero up, in units of 2^-24.</summary>
    private static readonly long[] s_halves =
        [.. Enumerable.Range(0, 0x7C00).Select(bits => (long)((double)BitConverter.UInt16BitsToHalf((ushort)bits) * (1 << 24)))];

    [Fact]
    public void EveryHalfWidensAndComesBack()
    {
        for (int bits = 0; bits <= ushort.MaxValue; bits++)
        {
            var half = BitConverter.UInt16BitsToHalf((ushort)bits);
            Assert.Equal((float)half, HalfArithmetic.Single(half));
            Assert.Equal(half, HalfArithmetic.Round(HalfArithmetic.Widen(half)));
        }
    }

    [Fact]
    public void NumbersBetweenHalvesGoToTheNearest()
    {
        for (int bits = 0; bits < 0x7C00; bits++)
        {
            double low = (double)BitConverter.UInt16BitsToHalf((ushort)bits);
            double high = bits == 0x7BFF ? 65536 : (double)BitConverter.UInt16BitsToHalf((ushort)(bits + 1));
            double middle = (low + high) / 2;
            Assert.Equal(bits, Bits(Math.BitDecrement(middle)));
            Assert.Equal(bits + 1, Bits(Math.BitIncrement(middle)));
            Assert.Equal((bits & 1) == 0 ? bits : bits + 1, Bits(middle));
            Assert.Equal(0x8000 | ((bits & 1) == 0 ? bits : bits + 1), Bits(-middle));
        }
    }

    [Fact]
    public void PairsComputeWithOneRounding()
    {
        Pairs("add.rn.f16x2 d, a, b;", (a, b, _) => (a + b) << 24);
        Pairs("sub.f16x2 d, a, b;", (a, b, _) => (a - b) << 24);
        Pairs("mul.rn.f16x2 d, a, b;", (a, b, _) => a * b);
        Pairs("fma.rn.f16x2 d, a, b, c;", (a, b, c) => (a * b) + (c << 24));
        Pairs("neg.f16x2 d, a;", (a, _, _) => (-a) << 24);
        Pairs("max.f16x2 d, a, b;", (a, b, _) => Int128.Max(a, b) << 24);
        Pairs(
            "mov.b32 {h0, h1}, a; mov.b32 {h2, h3}, b; mov.b32 {h4, h5}, c; fma.rn.f16 h0, h0, h2, h4; fma.rn.f16 h1, h1, h3, h5; mov.b32 d, {h0, h1};",
            (a, b, c) => (a * b) + (c << 24));
    }

    [Fact]
    public void HalvesConvert()
    {
        PtxSnippet.Check("mov.b32 {h0, h1}, a; cvt.f32.f16 f0, h1; mov.b32 d, f0;",
            (a, _, _) => BitConverter.SingleToUInt32Bits((float)BitConverter.UInt16BitsToHalf((ushort)(a >> 16))), word => word & 0xBFFFBFFF);
        PtxSnippet.Check("mov.b32 f0, a; mov.b32 f1, b; cvt.rn.f16x2.f32 d, f0, f1;",
            (a, b, _) => (uint)Bits(BitConverter.UInt32BitsToSingle(a)) << 16 | (uint)Bits(BitConverter.UInt32BitsToSingle(b)));
        PtxSnippet.Check("cvt.rn.f16.s32 h0, a; mov.b16 h1, 0x1234; mov.b32 d, {h0, h1};", (a, _, _) => 0x12340000 | (uint)Bits((int)a));
        PtxSnippet.Check("mov.b32 {h0, _}, a; cvt.rzi.s32.f16 d, h0;",
            (a, _, _) => (uint)(int)(float)BitConverter.UInt16BitsToHalf((ushort)a), word => word & 0xBFFFBFFF);
    }

    private static int Bits(double value) => BitConverter.HalfToUInt16Bits(HalfArithmetic.Round(value));

    /// <summary>Compares an instruction with an exact result, in units of 2^-48, of operands in units of 2^-24.</summary>
    private static void Pairs(string instruction, Func<Int128, Int128, Int128, Int128> exact) => PtxSnippet.Check(
        instruction,
        (a, b, c) => Nearest(exact(Units(a), Units(b), Units(c)))
            | Nearest(exact(Units(a >> 16), Units(b >> 16), Units(c >> 16))) << 16,
        word => (word & 3) == 0 ? word & 0x87FF87FF : (word & 4) == 0 ? word & 0xBFFFBFFF : (word & 0x9FFF9FFF) | 0x20002000,
        WithoutNegativeZeros);

    private static Int128 Units(uint bits)
    {
        long units = s_halves[bits & 0x7FFF];
        return (bits & 0x8000) == 0 ? units : -units;
    }

    private static uint Nearest(Int128 value)
    {
        // A half is units of 2^-24, and the value is in units of 2^-48.
        var magnitude = Int128.Abs(value);
        uint sign = value < 0 ? 0x8000u : 0;
        int index = Array.BinarySearch(s_halves, (long)(magnitude >> 24));
        int low = index >= 0 ? index : ~index - 1;
        var above = low + 1 < s_halves.Length ? s_halves[low + 1] : 65536L << 24;
        var twice = 2 * magnitude - (((Int128)s_halves[low] + above) << 24);
        return sign | (uint)(twice < 0 || (twice == 0 && low % 2 == 0) ? low : low + 1);
    }

    private static uint WithoutNegativeZeros(uint word) =>
        ((word & 0xFFFF) == 0x8000 ? word & 0xFFFF0000 : word) & (word >> 16 == 0x8000 ? 0xFFFFu : uint.MaxValue);
}
