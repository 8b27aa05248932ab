using Q4Gen.Generator.Planning;

namespace Q4Gen.Generator.Emit.Gpu;

/// <summary>
/// Prints how a warp stores its totals: for each row of x a thread holds four outputs side by side, so that a warp
/// writes the 32 of a pair at once.
/// </summary>
internal static class TensorStoreText
{
    public static void Write(SourceWriter writer, GpuPlan plan, TensorTilePlan tile)
    {
        int outFeatures = plan.Shape.Out;
        writer.Line("// Four outputs of a row at a time.");
        writer.Line("and.b32 temp, %6, 1;");
        writer.Line("setp.ne.u32 isHalf, temp, 0;");
        writer.Line("selp.b32 bytes, 1, 2, isHalf;   // shift from elements to bytes");
        writer.Line("and.b32 temp, %6, 2;");
        writer.Line("setp.eq.u32 isBiased, temp, 0;");
        writer.Line($"mad.lo.u32 row, rowWarp, {tile.Fragments * GpuPlan.FragmentRows}, firstRow;");
        writer.Line("mad.lo.u32 row, t, 2, row;");
        writer.Line($"mov.u64 rowStride, {outFeatures};");
        writer.Line("shl.b64 rowStride, rowStride, bytes;");
        for (int pair = 0; pair < tile.Pairs; pair++)
        {
            WritePair(writer, tile, outFeatures, pair);
        }

        writer.Line("DONE:");
    }

    private static void WritePair(SourceWriter writer, TensorTilePlan tile, int outFeatures, int pair)
    {
        writer.Line();
        if (pair > 0)
        {
            writer.Line($"add.u32 output, output, {GpuPlan.PairOutputs};");
        }

        writer.Line($"setp.lt.u32 isQuad, output, {outFeatures};");
        for (int i = 0; i < 4; i++)
        {
            writer.Line($"mov.f32 bias{i}, zero;");
        }

        writer.Line("mad.wide.u32 address, output, 4, %2;");
        writer.Line("and.pred isStored, isQuad, isBiased;");
        writer.Line("@isStored ld.global.nc.v4.f32 {bias0, bias1, bias2, bias3}, [address];");
        writer.Line("cvt.u64.u32 address, output;");
        writer.Line($"mad.wide.u32 address, row, {outFeatures}, address;");
        writer.Line("shl.b64 address, address, bytes;");
        writer.Line("add.s64 address, address, %4;");
        for (int fragment = 0; fragment < tile.Fragments; fragment++)
        {
            for (int odd = 0; odd < 2; odd++)
            {
                WriteQuad(writer, outFeatures, pair, fragment, odd);
            }
        }
    }

    private static void WriteQuad(SourceWriter writer, int outFeatures, int pair, int fragment, int odd)
    {
        string total = SourceWriter.Text($"total{pair}{fragment}");
        writer.Line($"add.u32 temp, row, {fragment * GpuPlan.FragmentRows + odd};");
        writer.Line("setp.lt.and.u32 isStored, temp, %5, isQuad;");
        for (int i = 0; i < 4; i++)
        {
            writer.Line($"add.rn.f32 {total}{2 * i + odd}, {total}{2 * i + odd}, bias{i};");
        }

        string quad = SourceWriter.Text($"{total}{odd}, {total}{2 + odd}, {total}{4 + odd}, {total}{6 + odd}");
        string suffix = SourceWriter.Text($"{pair}{fragment}{odd}");
        writer.Line($"@!isStored bra STORED{suffix};");
        writer.Line($"@isHalf bra HALF{suffix};");
        if (outFeatures % 4 == 0)
        {
            writer.Line($"st.global.v4.f32 [address], {{{quad}}};");
            writer.Line($"bra STORED{suffix};");
            writer.Line($"HALF{suffix}:");
            writer.Line($"cvt.rn.f16x2.f32 low, {total}{2 + odd}, {total}{odd};");
            writer.Line($"cvt.rn.f16x2.f32 high, {total}{6 + odd}, {total}{4 + odd};");
            writer.Line("st.global.v2.b32 [address], {low, high};");
        }
        else
        {
            for (int i = 0; i < 4; i++)
            {
                WriteGuard(writer, outFeatures, i);
                writer.Line($"{(i == 0 ? "" : "@isCopied ")}st.global.f32 [address + {4 * i}], {total}{2 * i + odd};");
            }

            writer.Line($"bra STORED{suffix};");
            writer.Line($"HALF{suffix}:");
            for (int i = 0; i < 4; i++)
            {
                WriteGuard(writer, outFeatures, i);
                writer.Line($"cvt.rn.f16.f32 half0, {total}{2 * i + odd};");
                writer.Line($"{(i == 0 ? "" : "@isCopied ")}st.global.b16 [address + {2 * i}], half0;");
            }
        }

        writer.Line($"STORED{suffix}:");
        writer.Line(odd == 0
            ? "add.s64 address, address, rowStride;"
            : $"mad.lo.s64 address, rowStride, {GpuPlan.FragmentRows - 1}, address;");
    }

    /// <summary>The last quad may reach past the last output.</summary>
    private static void WriteGuard(SourceWriter writer, int outFeatures, int i)
    {
        if (i > 0)
        {
            writer.Line($"setp.lt.u32 isCopied, output, {System.Math.Max(0, outFeatures - i)};");
        }
    }
}
