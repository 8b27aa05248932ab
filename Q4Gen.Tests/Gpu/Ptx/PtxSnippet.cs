namespace Q4Gen.Tests.Gpu.Ptx;

/// <summary>A few instructions in the frame of a kernel, for tests.</summary>
internal static class PtxSnippet
{
    public const string Header = ".version 7.0\n.target sm_80\n.address_size 64\n";

    /// <summary>Runs a body with the parameters <c>in</c> and <c>out</c>, addresses of words, in one block.</summary>
    /// <returns>The words that it has written: one for each thread, or as many as asked for.</returns>
    public static uint[] Run(string body, uint[] input, int threads = 32, int dynamicSharedBytes = 0, int words = 0)
    {
        var memory = new PtxMemory();
        long source = memory.Add("in", input, PtxBufferUse.ReadOnly);
        long target = memory.AddUnwritten<uint>("out", words == 0 ? threads : words);
        string kernel =
            $$"""
            {{Header}}
            .extern .shared .align 16 .b8 dynamic[];
            .visible .entry Kernel(.param .b64 in, .param .b64 out)
            {
                .reg .b64 in_base, out_base, in_at, out_at, at;
                .reg .b32 tid;
                .reg .pred p, q;
                .reg .b16 h<8>;
                .reg .b32 a, b, c, d, e<8>;
                .reg .b64 l<8>;
                .reg .f32 f<8>;
                .reg .f64 g<4>;
                ld.param.b64 in_base, [in];
                ld.param.b64 out_base, [out];
                cvta.to.global.u64 in_base, in_base;
                cvta.to.global.u64 out_base, out_base;
                mov.u32 tid, %tid.x;
                mul.wide.u32 at, tid, 4;
                add.u64 in_at, in_base, at;
                add.u64 out_at, out_base, at;
                {{body}}
                ret;
            }
            """;
        PtxProgram.Parse(kernel).Run(memory, (1, 1, 1), (threads, 1, 1), dynamicSharedBytes, source, target);
        return memory.Read<uint>("out");
    }

    /// <summary>Applies an instruction, from the words a, b and c to the word d, to many random words.</summary>
    /// <param name="instruction">The instruction, or several.</param>
    /// <param name="expected">What the result should be.</param>
    /// <param name="shape">Makes operands of random words.</param>
    /// <param name="reading">What of a result counts.</param>
    public static void Check(string instruction, Func<uint, uint, uint, uint> expected, Func<uint, uint>? shape = null, Func<uint, uint>? reading = null)
    {
        const int Threads = 256;
        var random = new Random(instruction.Length);
        uint[] words = [.. Enumerable.Range(0, 3 * Threads).Select(index => Word(random, index))];
        words = shape is null ? words : [.. words.Select(shape)];
        uint[] results = Run(
            $"ld.global.b32 a, [in_at]; ld.global.b32 b, [in_at+{4 * Threads}]; ld.global.b32 c, [in_at+{8 * Threads}];\n"
            + $"{instruction}\n st.global.b32 [out_at], d;",
            words,
            Threads);
        for (int thread = 0; thread < Threads; thread++)
        {
            uint a = words[thread];
            uint b = words[thread + Threads];
            uint c = words[thread + (2 * Threads)];
            uint right = expected(a, b, c);
            uint result = results[thread];
            (right, result) = reading is null ? (right, result) : (reading(right), reading(result));
            Assert.True(right == result, $"{instruction} of 0x{a:X8}, 0x{b:X8}, 0x{c:X8}: 0x{result:X8}, not 0x{right:X8}");
        }
    }

    /// <summary>The message of the exception that a body ends in.</summary>
    public static string Fails(string body, int threads = 32, int dynamicSharedBytes = 0) =>
        Assert.Throws<PtxException>(() => Run(body, new uint[threads], threads, dynamicSharedBytes)).Message;

    /// <summary>Half of the words are small, so that shifts and quotients are not all trivial.</summary>
    private static uint Word(Random random, int index)
    {
        uint word = (uint)random.NextInt64(1L << 32);
        return (index / 7 % 4) switch
        {
            0 => word & 63,
            1 => unchecked((uint)-(int)(word & 63)),
            _ => word,
        };
    }
}
