using System.Numerics;
using Q4Gen.Tests.Kernels;

namespace Q4Gen.Tests.Gpu.Ptx;

/// <summary>Each instruction that computes, compared with C#. PTX says the same on every processor.</summary>
[Trait(Emulated.Trait, Emulated.Never)]
public class PtxArithmeticTests
{
    [Fact]
    public void EveryTableOfLop3IsRight()
    {
        var random = new Random(1);
        uint[] words = [.. Enumerable.Range(0, 96).Select(_ => (uint)random.NextInt64(1L << 32))];
        string body = "ld.global.b32 a, [in_at]; ld.global.b32 b, [in_at+128]; ld.global.b32 c, [in_at+256];\n"
            + string.Concat(Enumerable.Range(0, 256).Select(
                table => $"lop3.b32 d, a, b, c, 0x{table:X}; st.global.b32 [out_at+{128 * table}], d;\n"));
        uint[] results = PtxSnippet.Run(body, words, words: 32 * 256);
        for (int table = 0; table < 256; table++)
        {
            for (int thread = 0; thread < 32; thread++)
            {
                uint expected = 0;
                for (int bit = 0; bit < 32; bit++)
                {
                    int entry = (int)(((words[thread] >> bit & 1) * 4) + ((words[thread + 32] >> bit & 1) * 2) + (words[thread + 64] >> bit & 1));
                    expected |= (uint)(table >> entry & 1) << bit;
                }

                Assert.Equal(expected, results[(table * 32) + thread]);
            }
        }
    }

    [Fact]
    public void SomeThreadsOfAWarpCanDoLogic()
    {
        uint[] results = PtxSnippet.Run(
            "setp.eq.u32 p, tid, 5; mov.b32 d, 7; @p lop3.b32 d, tid, d, d, 0x0F; st.global.b32 [out_at], d;", []);
        Assert.Equal(~5u, results[5]);
        Assert.Equal(7u, results[4]);
    }

    [Fact]
    public void IntegersComputeAsInCSharp()
    {
        PtxSnippet.Check("add.s32 d, a, b;", (a, b, _) => a + b);
        PtxSnippet.Check("sub.u32 d, a, -3;", (a, _, _) => a + 3);
        PtxSnippet.Check("mul.lo.s32 d, a, b;", (a, b, _) => a * b);
        PtxSnippet.Check("mul.hi.u32 d, a, b;", (a, b, _) => (uint)((ulong)a * b >> 32));
        PtxSnippet.Check("mul.hi.s32 d, a, b;", (a, b, _) => (uint)((long)(int)a * (int)b >> 32));
        PtxSnippet.Check("mul.wide.s32 l0, a, b; mov.b64 {_, d}, l0;", (a, b, _) => (uint)((long)(int)a * (int)b >> 32));
        PtxSnippet.Check("mov.b64 l0, {a, b}; mov.b64 l1, {b, c}; mul.hi.u64 l2, l1, l0; cvt.u32.u64 d, l2;",
            (a, b, c) => (uint)Math.BigMul((ulong)b << 32 | a, (ulong)c << 32 | b, out _));
        PtxSnippet.Check("mad.lo.u32 d, a, b, c;", (a, b, c) => (a * b) + c);
        PtxSnippet.Check("cvt.u64.u32 l0, c; mad.wide.u32 l1, a, b, l0; cvt.u32.u64 d, l1;", (a, b, c) => (a * b) + c);
        PtxSnippet.Check("or.b32 b, b, 1; div.s32 d, a, b;", (a, b, _) => (uint)((int)a / (long)(int)(b | 1)));
        PtxSnippet.Check("or.b32 b, b, 1; rem.u32 d, a, b;", (a, b, _) => a % (b | 1));
        PtxSnippet.Check("min.s32 d, a, b;", (a, b, _) => (uint)Math.Min((int)a, (int)b));
        PtxSnippet.Check("max.u32 d, a, b;", (a, b, _) => Math.Max(a, b));
        PtxSnippet.Check("neg.s32 d, a;", (a, _, _) => 0 - a);
        PtxSnippet.Check("abs.s32 d, a;", (a, _, _) => (int)a < 0 ? 0 - a : a);
    }

    [Fact]
    public void BitsMoveAsTheManualSays()
    {
        PtxSnippet.Check("shl.b32 d, a, b;", (a, b, _) => b > 31 ? 0 : a << (int)b);
        PtxSnippet.Check("shr.u32 d, a, b;", (a, b, _) => b > 31 ? 0 : a >> (int)b);
        PtxSnippet.Check("shr.s32 d, a, b;", (a, b, _) => (uint)((int)a >> (int)Math.Min(b, 31)));
        PtxSnippet.Check("shf.l.wrap.b32 d, a, b, c;", (a, b, c) => (uint)((((ulong)b << 32 | a) << (int)(c & 31)) >> 32));
        PtxSnippet.Check("shf.r.wrap.b32 d, a, b, c;", (a, b, c) => (uint)(((ulong)b << 32 | a) >> (int)(c & 31)));
        PtxSnippet.Check("shf.r.clamp.b32 d, a, b, c;", (a, b, c) => (uint)(((ulong)b << 32 | a) >> (int)Math.Min(c, 32)));
        PtxSnippet.Check("bfe.u32 d, a, 4, 9;", (a, _, _) => a >> 4 & 511);
        PtxSnippet.Check("bfe.s32 d, a, 4, 9;", (a, _, _) => (uint)((int)(a << 19) >> 23));
        PtxSnippet.Check("bfe.s32 d, a, 28, 9;", (a, _, _) => (uint)((int)a >> 28));
        PtxSnippet.Check("bfi.b32 d, a, b, 8, 12;", (a, b, _) => (b & ~0xFFF00u) | (a << 8 & 0xFFF00));
        PtxSnippet.Check("popc.b32 d, a;", (a, _, _) => (uint)BitOperations.PopCount(a));
        PtxSnippet.Check("clz.b32 d, a;", (a, _, _) => (uint)BitOperations.LeadingZeroCount(a));
        PtxSnippet.Check("brev.b32 d, a; brev.b32 d, d; xor.b32 d, d, b; not.b32 d, d;", (a, b, _) => ~(a ^ b));
        PtxSnippet.Check("brev.b32 d, a;", (a, _, _) => Enumerable.Range(0, 32).Aggregate(0u, (sum, bit) => sum | (a >> bit & 1) << (31 - bit)));
        PtxSnippet.Check("cnot.b32 d, a;", (a, _, _) => a == 0 ? 1u : 0);
        PtxSnippet.Check("mov.b32 {h0, h1}, a; mov.b32 d, {h1, h0};", (a, _, _) => a >> 16 | a << 16);
        PtxSnippet.Check("mov.b64 l0, {a, b}; shr.u64 l0, l0, 20; mov.b64 {d, _}, l0;", (a, b, _) => a >> 20 | b << 12);
        PtxSnippet.Check("prmt.b32 d, a, b, c;", Permute);
        PtxSnippet.Check("prmt.b32 d, a, b, 0x5410;", (a, b, _) => (a & 0xFFFF) | b << 16);
    }

    [Fact]
    public void ComparisonsKnowSignsAndNan()
    {
        PtxSnippet.Check("setp.lt.s32 p, a, b; selp.b32 d, a, c, p;", (a, b, c) => (int)a < (int)b ? a : c);
        PtxSnippet.Check("setp.lo.u32 p, a, b; selp.b32 d, a, c, p;", (a, b, c) => a < b ? a : c);
        PtxSnippet.Check("setp.eq.b32 p|q, a, 5; @p mov.b32 d, 1; @q mov.b32 d, 2;", (a, _, _) => a == 5 ? 1u : 2);
        PtxSnippet.Check("setp.gt.u32 p, a, b; setp.lt.and.u32 p, b, c, !p; selp.u32 d, 1, 0, p;", (a, b, c) => b < c && a <= b ? 1u : 0);
        PtxSnippet.Check("setp.gt.u32 p, a, b; setp.gt.u32 q, b, c; xor.pred p, p, q; not.pred p, p; selp.u32 d, 1, 0, p;",
            (a, b, c) => (a > b) == (b > c) ? 1u : 0);
        PtxSnippet.Check("set.le.u32.s32 d, a, b;", (a, b, _) => (int)a <= (int)b ? uint.MaxValue : 0);
        foreach (var (name, test) in ((string, Func<float, float, bool>)[])
            [
                ("eq", (a, b) => a == b), ("ne", (a, b) => a < b || a > b), ("lt", (a, b) => a < b), ("ge", (a, b) => a >= b),
                ("equ", (a, b) => !(a < b || a > b)), ("neu", (a, b) => a != b), ("ltu", (a, b) => !(a >= b)), ("leu", (a, b) => !(a > b)),
                ("gtu", (a, b) => !(a <= b)), ("geu", (a, b) => !(a < b)), ("num", (a, b) => !float.IsNaN(a) && !float.IsNaN(b)), ("nan", (a, b) => float.IsNaN(a) || float.IsNaN(b)),
            ])
        {
            PtxSnippet.Check(
                $"setp.{name}.f32 p, a, b; selp.u32 d, 1, 0, p;",
                (a, b, _) => test(BitConverter.UInt32BitsToSingle(a), BitConverter.UInt32BitsToSingle(b)) ? 1u : 0,
                word => (word & 7) switch { 0 => 0x7FC00000, 1 => 0x3F800000, 2 => 0, 3 => 0x80000000, _ => word & 0xBFFFFFFF });
        }
    }

    [Fact]
    public void FloatsComputeAsInCSharp()
    {
        Single("add.f32 f3, f0, f1;", (a, b, _) => a + b);
        Single("sub.rn.f32 f3, f0, f1;", (a, b, _) => a - b);
        Single("mul.f32 f3, f0, 0f3FC00000;", (a, _, _) => a * 1.5f);
        Single("mul.f32 f3, f0, 1.5;", (a, _, _) => a * 1.5f);
        Single("fma.rn.f32 f3, f0, f1, f2;", MathF.FusedMultiplyAdd);
        Single("div.rn.f32 f3, f0, f1;", (a, b, _) => a / b);
        Single("rcp.rn.f32 f3, f0; sqrt.rn.f32 f3, f3;", (a, _, _) => MathF.Sqrt(1 / a));
        Single("neg.f32 f3, f0; abs.f32 f4, f1; max.f32 f3, f3, f4;", (a, b, _) => MathF.Max(-a, MathF.Abs(b)));
        Single("copysign.f32 f3, f0, f1;", (a, b, _) => MathF.CopySign(b, a));
        Single("cvt.f64.f32 g0, f0; cvt.f64.f32 g1, f1; mul.f64 g0, g0, g1; cvt.rn.f32.f64 f3, g0;", (a, b, _) => (float)((double)a * b));
        Single("mov.f32 f4, 0f7FC00000; min.f32 f3, f0, f4;", (a, _, _) => a);
        PtxSnippet.Check(
            "mov.b32 f0, a; mul.ftz.f32 f3, f0, 0f3F800000; mov.b32 d, f3;", (a, _, _) => a & 0x80000000, word => word & 0x807FFFFF);
        Assert.Equal(0x80000000, PtxSnippet.Run("mov.f32 f0, 0f80000001; add.ftz.f32 f0, f0, 0f80000000; mov.b32 d, f0; st.global.b32 [out_at], d;", [], 1)[0]);
    }

    [Fact]
    public void ConversionsRoundAndSaturate()
    {
        PtxSnippet.Check("cvt.rn.f32.s32 f0, a; mov.b32 d, f0;", (a, _, _) => BitConverter.SingleToUInt32Bits((int)a));
        PtxSnippet.Check("cvt.rn.f32.u32 f0, a; mov.b32 d, f0;", (a, _, _) => BitConverter.SingleToUInt32Bits(a));
        PtxSnippet.Check("mov.b32 f0, a; cvt.rzi.s32.f32 d, f0;", (a, _, _) => Truncate(a));
        PtxSnippet.Check("mov.b32 f0, a; cvt.rni.f32.f32 f0, f0; mov.b32 d, f0;",
            (a, _, _) => BitConverter.SingleToUInt32Bits(MathF.Round(BitConverter.UInt32BitsToSingle(a))), word => word & 0xBFFFFFFF);
        PtxSnippet.Check("cvt.s64.s32 l0, a; shr.s64 l0, l0, 30; cvt.u32.u64 d, l0;", (a, _, _) => (uint)((int)a >> 30));
        PtxSnippet.Check("cvt.u64.u32 l0, a; shr.s64 l0, l0, 30; cvt.u32.u64 d, l0;", (a, _, _) => a >> 30);
        PtxSnippet.Check("cvt.s32.s8 d, a;", (a, _, _) => (uint)(sbyte)a);
        PtxSnippet.Check("cvt.u8.u32 h0, a; cvt.u32.u16 d, h0;", (a, _, _) => (byte)a);
        PtxSnippet.Check("cvt.sat.u8.s32 d, a;", (a, _, _) => (uint)Math.Clamp((int)a, 0, 255));
        PtxSnippet.Check("mov.b32 f0, a; cvt.sat.f32.f32 f0, f0; mov.b32 d, f0;",
            (a, _, _) => BitConverter.UInt32BitsToSingle(a) is > 0 and var x ? BitConverter.SingleToUInt32Bits(Math.Min(x, 1)) : 0);
    }

    private static uint Permute(uint a, uint b, uint c)
    {
        byte[] bytes = [.. BitConverter.GetBytes(a), .. BitConverter.GetBytes(b)];
        byte[] result = new byte[4];
        for (int place = 0; place < 4; place++)
        {
            int selector = (int)(c >> (4 * place)) & 15;
            byte value = bytes[selector % 8];
            result[place] = selector < 8 ? value : (byte)(value > 127 ? 255 : 0);
        }

        return BitConverter.ToUInt32(result);
    }

    private static uint Truncate(uint bits)
    {
        float value = BitConverter.UInt32BitsToSingle(bits);
        return float.IsNaN(value) ? 0 : (uint)(int)Math.Clamp(Math.Truncate((double)value), int.MinValue, int.MaxValue);
    }

    /// <summary>Compares an instruction from f0, f1 and f2 to f3.</summary>
    private static void Single(string instruction, Func<float, float, float, float> expected) => PtxSnippet.Check(
        $"mov.b32 f0, a; mov.b32 f1, b; mov.b32 f2, c; {instruction} mov.b32 d, f3;",
        (a, b, c) => BitConverter.SingleToUInt32Bits(
            expected(BitConverter.UInt32BitsToSingle(a), BitConverter.UInt32BitsToSingle(b), BitConverter.UInt32BitsToSingle(c))),
        word => (word & 0x8FFFFFFF) | 0x30000000);
}
