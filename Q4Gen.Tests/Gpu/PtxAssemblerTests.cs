using Q4Gen.Tests.Kernels;

namespace Q4Gen.Tests.Gpu;

/// <summary>The figures that ptxas reports, and what it says of PTX that it refuses.</summary>
[Trait(Emulated.Trait, Emulated.Never)] // ptxas is an x86 program, and the same on every processor.
public class PtxAssemblerTests
{
    /// <summary>Two kernels, so that the figures of one could be taken for the other's.</summary>
    private const string Module = """
        .version 7.0
        .target sm_80
        .address_size 64

        .visible .entry empty()
        {
            ret;
        }

        .visible .entry shares(.param .u64 out)
        {
            .reg .u32 %lane, %slot;
            .reg .u64 %out;
            .shared .align 16 .b8 tile[1536];
            ld.param.u64 %out, [out];
            cvta.to.global.u64 %out, %out;
            mov.u32 %lane, %tid.x;
            mov.u32 %slot, tile;
            mad.lo.u32 %slot, %lane, 4, %slot;
            st.shared.u32 [%slot], %lane;
            bar.sync 0;
            ld.shared.u32 %lane, [tile + 4];
            st.global.u32 [%out], %lane;
            ret;
        }
        """;

    [Theory]
    [InlineData("sm_80")]
    [InlineData("sm_90")]
    public void AKernelsSharedMemoryIsReported(string arch)
    {
        SkipWithoutAssembler();
        PtxFigures figures = PtxAssembler.Assemble(Module, arch, "shares");
        Assert.Equal(new PtxFigures(figures.Registers, SharedBytes: 1536, 0, 0, 0), figures);
        Assert.InRange(figures.Registers, 1, 32);
        Assert.Equal(0, PtxAssembler.Assemble(Module, arch, "empty").SharedBytes);
    }

    [Fact]
    public void SpilledRegistersAreReported()
    {
        SkipWithoutAssembler();

        // 128 sums that all live to the end, in a kernel that may have 32 registers.
        string[] sums = [.. Enumerable.Range(0, 128).Select(i => $"%sum{i}")];
        string ptx = $$"""
            .version 7.0
            .target sm_80
            .address_size 64

            .visible .entry spills(.param .u64 data)
            .maxnreg 32
            {
                .reg .u64 %data;
                .reg .f32 %x;
                .reg .f32 {{string.Join(", ", sums)}};
                ld.param.u64 %data, [data];
                cvta.to.global.u64 %data, %data;
            {{string.Concat(sums.Select((sum, i) => $"    ld.volatile.global.f32 {sum}, [%data + {4 * i}];\n"))}}
                bar.sync 0;
            {{string.Concat(sums.Select((sum, i) => $"    st.volatile.global.f32 [%data + {4 * i}], {sum};\n"))}}
                ret;
            }
            """;
        PtxFigures figures = PtxAssembler.Assemble(ptx, "sm_80", "spills");
        Assert.Equal(32, figures.Registers);

        // How many more than those without a register is up to the release.
        Assert.InRange(figures.SpillStoreBytes, 4 * (128 - 32), 4 * 256);
        Assert.InRange(figures.SpillLoadBytes, 4 * (128 - 32), 4 * 256);
        Assert.InRange(figures.StackBytes, 4 * (128 - 32), 4 * 256);
    }

    [Fact]
    public void BrokenPtxThrowsWithItsLine()
    {
        SkipWithoutAssembler();
        string broken = Module.Replace("bar.sync 0;", "bar.sunk 0;", StringComparison.Ordinal);
        int line = 1 + Array.FindIndex(broken.Split('\n'), text => text.Contains("bar.sunk", StringComparison.Ordinal));
        var exception = Assert.Throws<InvalidOperationException>(() => PtxAssembler.Assemble(broken, "sm_80", "shares"));
        Assert.Contains($"kernel.ptx, line {line}; error   : Unknown modifier '.sunk'", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AnotherKernelsNameThrows()
    {
        SkipWithoutAssembler();
        var exception = Assert.Throws<InvalidOperationException>(() => PtxAssembler.Assemble(Module, "sm_80", "share"));
        Assert.StartsWith("ptxas assembled no kernel share.", exception.Message, StringComparison.Ordinal);
        Assert.Contains("'shares'", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Used 38 registers, used 1 barriers, 3072 bytes smem, 352 bytes cmem[0]", 38, 3072)] // CUDA 12
    [InlineData("Used 38 registers, used 1 barriers", 38, 0)]
    [InlineData("Used 40 registers, 8192 bytes smem, 360 bytes cmem[0], 4 bytes cmem[2]", 40, 8192)] // CUDA 11
    [InlineData("Used 4 registers", 4, 0)]
    public void TheFiguresOfAllReleasesAreRead(string used, int registers, int sharedBytes)
    {
        string output = $"""
            ptxas info    : 0 bytes gmem
            ptxas info    : Compiling entry function 'other' for 'sm_90'
            ptxas info    : Function properties for other
                0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
            ptxas info    : Used 99 registers, 99 bytes smem
            ptxas info    : Compiling entry function 'kernel' for 'sm_90'
            ptxas info    : Function properties for kernel
                16 bytes stack frame, 24 bytes spill stores, 32 bytes spill loads
            ptxas info    : {used}
            ptxas info    : Function properties for callee
                48 bytes stack frame, 48 bytes spill stores, 48 bytes spill loads

            """;
        Assert.Equal(new PtxFigures(registers, sharedBytes, 16, 24, 32), PtxAssembler.Parse(output, "kernel"));
    }

    private static void SkipWithoutAssembler() =>
        Assert.SkipWhen(PtxAssembler.Find() is null, "ptxas is not installed; scripts/get-ptxas.sh brings it.");
}
