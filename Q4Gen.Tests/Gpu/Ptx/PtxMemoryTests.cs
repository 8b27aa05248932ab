using Q4Gen.Tests.Kernels;

namespace Q4Gen.Tests.Gpu.Ptx;

/// <summary>Accesses to memory: those that are right, and what is said about those that are not.</summary>
[Trait(Emulated.Trait, Emulated.Never)]
public class PtxMemoryTests
{
    private const string OwnWord = "mov.u32 a, dynamic; mad.lo.u32 a, tid, 4, a; ";

    [Theory]
    [InlineData("ld.global.b32 d, [in_at+4];", "reads 4 bytes at offset 128 of buffer 'in' (128 bytes), outside of it")]
    [InlineData("ld.global.b32 d, [in_at-4];", "reads 4 bytes at offset -4 of buffer 'in' (128 bytes), outside of it")]
    [InlineData("ld.global.v2.b32 {c, d}, [in_at];", "reads 8 bytes at offset 4 of buffer 'in' (128 bytes), which is not aligned to 8")]
    [InlineData("st.global.b32 [in_at], tid;", "writes at offset 0 of buffer 'in' (128 bytes), which is only to be read")]
    [InlineData("st.global.b32 [out_at], tid; st.global.b32 [out_at], tid;", "which has been written in this run before")]
    [InlineData("st.global.b32 [out_base], tid;", "writes at offset 0 of buffer 'out' (128 bytes), which has been written in this run before")]
    [InlineData("ld.global.b32 d, [out_at];", "reads at offset 0 of buffer 'out' (128 bytes), which has not been written")]
    [InlineData("st.global.b32 [out_at], tid; ld.global.nc.b32 d, [out_at];", ".nc may see what was there before")]
    [InlineData("mov.u64 at, 64; ld.global.b32 d, [at];", "no buffer is near")]
    [InlineData("st.global.b32 [out_at], tid; xor.b32 a, tid, 1; mad.wide.u32 at, a, 4, out_base; ld.global.b32 d, [at];", "which another thread writes")]
    [InlineData("add.u32 d, c, 1;", "The instruction 'add.u32 d, c, 1;' at line")]
    [InlineData("add.u32 d, c, 1;", "reads c, which this thread has not written. Thread (0, 0, 0) of block (0, 0, 0).")]
    [InlineData("setp.eq.u32 p, tid, 9; @p mov.u32 c, 1; add.u32 d, c, 1;", "reads c, which this thread has not written. Thread (0, 0, 0)")]
    [InlineData("@p mov.u32 c, 1;", "reads its predicate")]
    [InlineData("selp.u32 d, 1, 2, q;", "reads q")]
    [InlineData("div.u32 d, tid, tid;", "divides by zero")]
    [InlineData("trap;", "was reached")]
    public void ErrorsNameTheirPlace(string body, string message) => Assert.Contains(message, PtxSnippet.Fails(body), StringComparison.Ordinal);

    [Theory]
    [InlineData("ld.shared.b32 d, [a];", "reads 4 bytes at offset 0 of shared 'dynamic' (256 bytes), which have not been written")]
    [InlineData("st.shared.b32 [a+256], tid;", "writes 4 bytes at offset 256 of shared 'dynamic' (256 bytes), outside of it")]
    [InlineData("st.shared.b32 [a+2], tid;", "which is not aligned to 4")]
    [InlineData("st.shared.b32 [a-1024], tid;", "outside of it")]
    [InlineData("st.shared.b32 [a], tid; xor.b32 b, a, 4; ld.shared.b32 d, [b];", "which thread 1 has written without a barrier since")]
    [InlineData("st.shared.b32 [a], tid; bar.sync 0; xor.b32 b, a, 4; ld.shared.b32 d, [b]; st.shared.b32 [a], d;", "read without a barrier since")]
    [InlineData("st.shared.b32 [dynamic], tid;", "which thread 0 has written without a barrier since")]
    [InlineData("st.shared.b32 [a], tid; bar.sync 0; xor.b32 b, a, 128; st.shared.b32 [b], tid;", null)]
    [InlineData("st.shared.b32 [a], tid; bar.warp.sync -1; xor.b32 b, a, 4; ld.shared.b32 d, [b];", null)]
    [InlineData("st.shared.b32 [a], tid; bar.warp.sync -1; xor.b32 b, a, 128; ld.shared.b32 d, [b];", "which have not been written")]
    [InlineData("st.shared.b32 [a], tid; bar.warp.sync -1; ld.shared.b32 d, [dynamic];", "which thread 0 has written without a barrier since")]
    [InlineData("st.shared.b32 [a], tid; bar.sync 0; ld.shared.b32 d, [dynamic]; bar.sync 0; st.shared.b32 [a], d;", null)]
    [InlineData("st.shared.b32 [a], tid; bar.sync 0; ld.shared.b32 d, [dynamic]; st.shared.b32 [a], d;", "read without a barrier since")]
    [InlineData("st.shared.v4.b32 [a], {tid, tid, tid, tid};", "which is not aligned to 16")]
    public void RacesInSharedMemoryAreFound(string body, string? message)
    {
        string after = OwnWord + body;
        if (message is null)
        {
            PtxSnippet.Run(after + "st.global.b32 [out_at], tid;", [], threads: 64, dynamicSharedBytes: 256);
            return;
        }

        Assert.Contains(message, PtxSnippet.Fails(after, threads: 64, dynamicSharedBytes: 256), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("shfl.sync.bfly.b32 b, tid, 1, 31, -1;", true)]
    [InlineData("shfl.sync.bfly.b32 b, tid, 1, 31, -1;", false)]
    [InlineData("bar.warp.sync -1;", false)]
    public void WhetherAShuffleOrdersMemoryCanBeChosen(string collective, bool collectivesOrderMemory)
    {
        var program = PtxProgram.Parse(PtxSnippet.Header + $$"""
            .entry K()
            {
                .shared .align 4 .b8 s[128]; .reg .b32 a, b, tid;
                mov.u32 tid, %tid.x; mov.u32 a, s; mad.lo.u32 a, tid, 4, a; st.shared.b32 [a], tid; {{collective}}
                xor.b32 a, a, 4; ld.shared.b32 a, [a];
            }
            """);
        program.Entry.CollectivesOrderMemory = collectivesOrderMemory;
        void Run() => program.Run(new(), (1, 1, 1), (32, 1, 1), 0);
        if (collectivesOrderMemory || !collective.StartsWith("shfl", StringComparison.Ordinal))
        {
            Run();
            return;
        }

        Assert.Contains("without a barrier since", Assert.Throws<PtxException>(Run).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("cp.async.wait_all;", null)]
    [InlineData("cp.async.commit_group; cp.async.wait_group 0;", null)]
    [InlineData("", "to which cp.async still copies: nobody has waited for it")]
    [InlineData("cp.async.commit_group;", "to which cp.async still copies")]
    [InlineData("cp.async.wait_group 0;", "to which cp.async still copies")]
    [InlineData("cp.async.commit_group; cp.async.wait_group 1;", "to which cp.async still copies")]
    [InlineData("cp.async.commit_group; cp.async.commit_group; cp.async.wait_group 1;", null)]
    public void AnAsynchronousCopyMustBeWaitedFor(string wait, string? message)
    {
        const string Copy = "mov.u32 a, dynamic; mad.lo.u32 a, tid, 16, a; and.b32 b, tid, 7; mad.wide.u32 at, b, 16, in_base; "
            + "cp.async.cg.shared.global [a], [at], 16; ";
        string read = Copy + wait + " ld.shared.b32 d, [a+4]; st.global.b32 [out_at], d;";
        uint[] input = [.. Enumerable.Range(0, 32).Select(index => (uint)index)];
        if (message is not null)
        {
            Assert.Contains(message, PtxSnippet.Fails(read, dynamicSharedBytes: 512), StringComparison.Ordinal);
            return;
        }

        Assert.Equal(Enumerable.Range(0, 32).Select(lane => (uint)(lane % 8 * 4) + 1), PtxSnippet.Run(read, input, dynamicSharedBytes: 512));
        string other = Copy + wait + " xor.b32 a, a, 16; ld.shared.b32 d, [a];";
        Assert.Contains("has written without a barrier since", PtxSnippet.Fails(other, dynamicSharedBytes: 512), StringComparison.Ordinal);
    }

    [Fact]
    public void AnAsynchronousCopyFillsUpWithZeros()
    {
        uint[] results = PtxSnippet.Run(
            "mov.u32 a, dynamic; setp.eq.u32 p, tid, 0; selp.u32 b, 8, 0, p; @p cp.async.ca.shared.global [a], [in_base], 16, b; "
            + "cp.async.wait_all; bar.sync 0; ld.shared.v4.b32 {e0, e1, e2, e3}, [a]; @p st.global.v4.b32 [out_base], {e0, e1, e2, e3};",
            [5, 6, 7, 8], dynamicSharedBytes: 16, words: 4);
        Assert.Equal([5, 6, 0, 0], results);
    }

    [Fact]
    public void AnAsynchronousCopyChecksItsSource() => Assert.Contains(
        "reads 16 bytes at offset 128 of buffer 'in' (128 bytes)",
        PtxSnippet.Fails("mov.u32 a, dynamic; cp.async.cg.shared.global [a], [in_base+128], 16;", dynamicSharedBytes: 16), StringComparison.Ordinal);

    [Fact]
    public void NarrowAndGenericAccessesWork()
    {
        uint[] results = PtxSnippet.Run(
            "{ .local .align 8 .b8 mine[8]; .shared .align 4 .b8 ours[64];\n .reg .b64 x, y; .reg .s16 s;"
            + "mov.u64 x, mine; cvta.local.u64 x, x; st.b16 [x+2], 0xFFFE; ld.local.s8 s, [mine+2]; cvt.s32.s16 d, s;"
            + "mov.u64 y, ours; cvta.shared.u64 y, y; cvt.u64.u32 x, tid; add.u64 y, y, x; st.u8 [y], tid; bar.warp.sync 0xffffffff;"
            + "cvta.to.shared.u64 y, y; xor.b64 y, y, 1; ld.shared.u8 c, [y]; shl.b32 c, c, 8; add.u32 d, d, c; st.global.b32 [out_at], d; }", []);
        Assert.Equal(Enumerable.Range(0, 32).Select(lane => (uint)((lane ^ 1) * 256 - 2)), results);
    }

    [Theory]
    [InlineData("frob.b32 d, a;", "'frob.b32 d, a;' is not a known instruction")]
    [InlineData("add.u32.foo d, a, b;", "has the modifier '.foo', which is not known or not in place")]
    [InlineData("add.foo.u32 d, a, b;", "has the modifier '.foo'")]
    [InlineData("add.u32 d, a, f0;", "takes f0, a .f32, for a .u32")]
    [InlineData("add.u32 d, a, l0;", "takes l0, a .b64, for a .u32")]
    [InlineData("add.u32 d, a, z;", "names 'z', which is not declared")]
    [InlineData("add.u32 d, a;", "operands")]
    [InlineData("add.u32 d, a, 4294967296;", "has the number 4294967296")]
    [InlineData("add.f32 f0, f1, 1;", "has a number where a .f32 is expected")]
    [InlineData("add.u32 d, a, %tid.x;", "which only mov and cvt may")]
    [InlineData("bra NOWHERE;", "there is no label 'NOWHERE' in scope")]
    [InlineData("atom.global.add.u32 d, [at], 1;", "is not deterministic")]
    [InlineData(".reg .b32 a;", "'a' is declared twice")]
    [InlineData("add.u32 d, a, b", "';' or ',' was expected")]
    [InlineData("{ L: } bra L;", "there is no label 'L' in scope")]
    [InlineData("cvt.f32.s32 f0, a;", "is a conversion that is not supported")]
    [InlineData("ld.global.b32 d, [c];", "takes 'c' for an address of Global memory")]
    [InlineData("mul.u32 d, a, b;", "do not go together")]
    [InlineData("ld.global.nc.L1::no_allocate.b32 d, [in_at];", "needs PTX 7.4, but the program declares 7.0")]
    [InlineData("shfl.bfly.b32 d, a, 1, 31;", "needs .sync")]
    public void WhatTheAssemblerWouldNotTakeIsNotTaken(string body, string message)
    {
        string error = PtxSnippet.Fails(body);
        Assert.Contains(message, error, StringComparison.Ordinal);
        Assert.StartsWith("Line ", error, StringComparison.Ordinal);
    }

    [Fact]
    public void ScopesHaveTheirOwnRegistersAndForgetThem()
    {
        Assert.All(
            PtxSnippet.Run("mov.u32 d, 1; { .reg .b32 d, t<3>; mov.u32 d, 2; mov.u32 t2, d; } { .reg .b32 u; mov.u32 u, 3; add.u32 d, d, u; } st.global.b32 [out_at], d;", []),
            result => Assert.Equal(4u, result));
        Assert.Contains("reads u", PtxSnippet.Fails("{ .reg .b32 t; mov.u32 t, 2; } { .reg .b32 u; add.u32 d, u, 1; }"), StringComparison.Ordinal);
    }

    [Fact]
    public void ArgumentsAreCheckedAndBlocksRunSideBySide()
    {
        var program = PtxProgram.Parse(PtxSnippet.Header +
            """
            .visible .entry K(.param .align 8 .b8 y[16], .param .b32 n, .param .f32 s) .maxntid 64, 1, 1
            {
                .reg .b64 a<3>; .reg .b32 r<5>; .reg .f32 f<3>; .reg .pred p;
                ld.param.b64 a0, [y]; ld.param.b32 r0, [y+8]; ld.param.u32 r1, [n]; ld.param.f32 f0, [s];
                mov.u32 r2, %ctaid.x; mov.u32 r3, %ntid.x; mov.u32 r4, %tid.x; mad.lo.u32 r2, r2, r3, r4;
                setp.ge.u32 p, r2, r1; @p exit;
                cvt.rn.f32.u32 f1, r2; mul.f32 f1, f1, f0; mad.wide.u32 a1, r2, 4, a0; st.f32 [a1], f1; // comment
            }
            """);
        var memory = new PtxMemory();
        var view = memory.AddUnwrittenView<float>("y", 100);
        program.Parallelism = 2;
        Assert.True(program.Run(memory, (4, 1, 1), (32, 1, 1), 0, view, 100, 0.5f) > 128 * 10);
        Assert.Equal(Enumerable.Range(0, 100).Select(index => index * 0.5f), memory.Read<float>("y"));
        Assert.Equal(400, memory["y"].BytesWritten);
        Assert.Contains("3 parameters, but 2 arguments", Message(view, 100), StringComparison.Ordinal);
        Assert.Contains("Argument 1 of 'K' has 8 bytes, but the parameter 'n' has 4", Message(view, 100L, 0.5f), StringComparison.Ordinal);
        Assert.Contains(".maxntid", Assert.Throws<PtxException>(() => program.Run(memory, (1, 1, 1), (128, 1, 1), 0, view, 1, 1f)).Message, StringComparison.Ordinal);

        string Message(params object[] arguments) =>
            Assert.Throws<PtxException>(() => program.Run(memory, (4, 1, 1), (32, 1, 1), 0, arguments)).Message;
    }
}
