using Q4Gen.Tests.Kernels;

namespace Q4Gen.Tests.Gpu.Ptx;

/// <summary>What the threads of a warp and of a block do together, and what happens if they do not.</summary>
[Trait(Emulated.Trait, Emulated.Never)]
public class PtxWarpTests
{
    [Theory]
    [InlineData("bfly", 4, 0x1F)]
    [InlineData("bfly", 9, 0x181F)]
    [InlineData("up", 3, 0)]
    [InlineData("up", 5, 0x1800)]
    [InlineData("down", 7, 0x1F)]
    [InlineData("down", 2, 0x1C1F)]
    [InlineData("idx", 6, 0x1F)]
    [InlineData("idx", 3, 0x181F)]
    public void ShufflesReadTheLaneThatIsMeant(string mode, int operand, int control)
    {
        uint[] results = PtxSnippet.Run(
            $"add.u32 a, tid, 100; mov.u32 b, {operand}; shfl.sync.{mode}.b32 d|p, a, b, {control}, 0xffffffff; "
            + "@p add.u32 d, d, 1000; st.global.b32 [out_at], d;", []);
        for (int lane = 0; lane < 32; lane++)
        {
            // Segments of 32, or of as many lanes as the control leaves free.
            int size = 32 - (control >> 8);
            int first = lane / size * size;
            int source = mode switch { "bfly" => lane ^ operand, "up" => lane - operand, "down" => lane + operand, _ => first + (operand % size) };
            bool isIn = mode == "up" ? source >= first : source < first + size;
            Assert.Equal((uint)(isIn ? 1100 + source : 100 + lane), results[lane]);
        }
    }

    [Fact]
    public void VotesCount()
    {
        uint[] results = PtxSnippet.Run(
            "setp.lt.u32 p, tid, 3; vote.sync.ballot.b32 a, p, 0xffffffff; vote.sync.any.pred q, p, 0xffffffff; selp.u32 b, 256, 0, q; "
            + "vote.sync.all.pred q, !p, 0xffffffff; selp.u32 c, 512, 0, q; add.u32 d, a, b; add.u32 d, d, c; st.global.b32 [out_at], d;", []);
        Assert.All(results, result => Assert.Equal(7u + 256, result));
    }

    [Fact]
    public void ThreadsThatTookDifferentBranchesMeetAgain()
    {
        uint[] results = PtxSnippet.Run(
            "mov.u32 d, 0; mov.u32 c, tid;\n AGAIN: setp.eq.u32 p, c, 0; @p bra DONE; add.u32 d, d, c; sub.u32 c, c, 1; bra AGAIN;\n"
            + "DONE: shfl.sync.bfly.b32 a, d, 1, 31, 0xffffffff; st.global.b32 [out_at], a;", []);
        Assert.Equal(Enumerable.Range(0, 32).Select(lane => (uint)((lane ^ 1) * ((lane ^ 1) + 1) / 2)), results);
    }

    [Fact]
    public void ADivergedWarpIsFound()
    {
        string message = PtxSnippet.Fails(
            "setp.lt.u32 p, tid, 16; @p bra LOW;\n shfl.sync.bfly.b32 a, tid, 1, 31, 0xffffffff; bra DONE;\n"
            + "LOW: shfl.sync.bfly.b32 a, tid, 2, 31, 0xffffffff;\n DONE:");
        Assert.Contains("the warp diverged: lanes 0x", message, StringComparison.Ordinal);
        Assert.Contains("line", message, StringComparison.Ordinal);
    }

    [Fact]
    public void ACollectiveBehindAPredicateIsFound() => Assert.Contains(
        "the warp diverged", PtxSnippet.Fails("setp.lt.u32 p, tid, 31; @p bar.warp.sync 0xffffffff;"), StringComparison.Ordinal);

    [Fact]
    public void AWarpWithoutAllItsThreadsIsFound() => Assert.Contains(
        "lanes 0xFFFF0000 do not exist",
        PtxSnippet.Fails("shfl.sync.bfly.b32 a, tid, 1, 31, 0xffffffff;", threads: 16), StringComparison.Ordinal);

    [Fact]
    public void AMaskLetsSomeThreadsMeet()
    {
        uint[] results = PtxSnippet.Run(
            "mov.u32 d, tid; setp.lt.u32 p, tid, 8; @p shfl.sync.bfly.b32 d, tid, 7, 31, 0xff; st.global.b32 [out_at], d;", []);
        Assert.Equal(Enumerable.Range(0, 32).Select(lane => (uint)(lane < 8 ? lane ^ 7 : lane)), results);
    }

    [Fact]
    public void ThreadsThatEndedAreMissedAtABarrier()
    {
        Assert.Contains("threads of warp 1 have ended",
            PtxSnippet.Fails("setp.gt.u32 p, tid, 31; @p ret; bar.sync 0;", threads: 64), StringComparison.Ordinal);
        Assert.Contains("the warp diverged", PtxSnippet.Fails("setp.eq.u32 p, tid, 3; @p ret; bar.sync 0;"), StringComparison.Ordinal);
    }

    [Fact]
    public void WarpsAtDifferentBarriersAreFound() => Assert.Contains(
        "waits for ever at barrier 0: warp 1 waits at barrier 1",
        PtxSnippet.Fails("setp.gt.u32 p, tid, 31; @p bra B;\n bar.sync 0; ret;\n B: bar.sync 1;", threads: 64), StringComparison.Ordinal);

    [Fact]
    public void AnEndlessLoopEnds()
    {
        var program = PtxProgram.Parse(PtxSnippet.Header + ".entry K() { L: bra L; }");
        program.Entry.StepLimit = 1000;
        var exception = Assert.Throws<PtxException>(() => program.Run(new(), (1, 1, 1), (32, 1, 1), 0));
        Assert.Contains("does not seem to end", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ABranchThatIsSaidToBeUniformMustBe() => Assert.Contains(
        "said to be uniform", PtxSnippet.Fails("setp.eq.u32 p, tid, 3; @p bra.uni L;\n L:"), StringComparison.Ordinal);

    [Fact]
    public void BranchesPickTargets()
    {
        uint[] results = PtxSnippet.Run(
            "and.b32 a, tid, 3; T: .branchtargets A, B, C, D; brx.idx a, T;\n A: mov.u32 d, 5; bra E; B: mov.u32 d, 6; bra E; "
            + "C: mov.u32 d, 7; bra E; D: mov.u32 d, 8;\n E: st.global.b32 [out_at], d;", []);
        Assert.Equal(Enumerable.Range(0, 32).Select(lane => (uint)(5 + lane % 4)), results);
    }

    [Fact]
    public void MatrixProductsAreExact()
    {
        var random = new Random(5);
        var left = new Half[16 * 16];
        var right = new Half[16 * 8];
        var added = new float[16 * 8];
        for (int index = 0; index < left.Length; index++)
        {
            left[index] = (Half)(random.NextSingle() - 0.5f);
            right[index % right.Length] = (Half)(random.NextSingle() * 10);
            added[index % added.Length] = random.NextSingle();
        }

        // Laid out by the figures of the PTX manual, thread for thread.
        var input = new uint[32 * 10];
        for (int lane = 0; lane < 32; lane++)
        {
            int group = lane / 4;
            int place = lane % 4 * 2;
            uint[] words =
            [
                Pair(left[(group * 16) + place], left[(group * 16) + place + 1]),
                Pair(left[((group + 8) * 16) + place], left[((group + 8) * 16) + place + 1]),
                Pair(left[(group * 16) + place + 8], left[(group * 16) + place + 9]),
                Pair(left[((group + 8) * 16) + place + 8], left[((group + 8) * 16) + place + 9]),
                Pair(right[(place * 8) + group], right[((place + 1) * 8) + group]),
                Pair(right[((place + 8) * 8) + group], right[((place + 9) * 8) + group]),
                BitConverter.SingleToUInt32Bits(added[(group * 8) + place]),
                BitConverter.SingleToUInt32Bits(added[(group * 8) + place + 1]),
                BitConverter.SingleToUInt32Bits(added[((group + 8) * 8) + place]),
                BitConverter.SingleToUInt32Bits(added[((group + 8) * 8) + place + 1]),
            ];
            words.CopyTo(input, lane * 10);
        }

        uint[] results = PtxSnippet.Run(
            "mad.wide.u32 at, tid, 40, in_base; ld.global.v2.b32 {e0, e1}, [at]; ld.global.v2.b32 {e2, e3}, [at+8]; ld.global.v2.b32 {e4, e5}, [at+16];"
            + "ld.global.v2.f32 {f0, f1}, [at+24]; ld.global.v2.f32 {f2, f3}, [at+32];"
            + "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {f0, f1, f2, f3}, {e0, e1, e2, e3}, {e4, e5}, {f0, f1, f2, f3};"
            + "mad.wide.u32 at, tid, 16, out_base; st.global.v4.f32 [at], {f0, f1, f2, f3};",
            input,
            words: 128);
        for (int row = 0; row < 16; row++)
        {
            for (int column = 0; column < 8; column++)
            {
                double sum = added[(row * 8) + column];
                for (int k = 0; k < 16; k++)
                {
                    sum += (double)left[(row * 16) + k] * (double)right[(k * 8) + column];
                }

                int lane = (row % 8 * 4) + (column / 2);
                float result = BitConverter.UInt32BitsToSingle(results[(lane * 4) + (row / 8 * 2) + (column % 2)]);
                Assert.Equal((float)sum, result);
            }
        }
    }

    [Fact]
    public void MatricesLoadFromTheirRows()
    {
        // Matrix m has the half 64 m + 8 row + column; row r is at the address of thread 8 m + r.
        const string Fill = "mov.u32 a, dynamic; mad.lo.u32 a, tid, 16, a; shl.b32 b, tid, 3; mad.lo.u32 b, b, 0x10001, 0x10000;"
            + "add.u32 c, b, 0x20002; add.u32 d, b, 0x40004; add.u32 e0, b, 0x60006; st.shared.v4.b32 [a], {b, c, d, e0}; bar.sync 0;";
        foreach (string transposed in (string[])["", ".trans"])
        {
            uint[] results = PtxSnippet.Run(
                Fill + $"ldmatrix.sync.aligned.m8n8.x4{transposed}.shared.b16 {{e0, e1, e2, e3}}, [a];"
                + "mad.wide.u32 at, tid, 16, out_base; st.global.v4.b32 [at], {e0, e1, e2, e3};",
                [], dynamicSharedBytes: 512, words: 128);
            for (int lane = 0; lane < 32; lane++)
            {
                for (int matrix = 0; matrix < 4; matrix++)
                {
                    int line = lane / 4;
                    int place = lane % 4 * 2;
                    int low = transposed == "" ? (line * 8) + place : (place * 8) + line;
                    int high = low + (transposed == "" ? 1 : 8);
                    Assert.Equal((uint)((matrix * 64 * 0x10001) + (high << 16) + low), results[(lane * 4) + matrix]);
                }
            }
        }
    }

    private static uint Pair(Half low, Half high) => BitConverter.HalfToUInt16Bits(low) | (uint)BitConverter.HalfToUInt16Bits(high) << 16;
}
