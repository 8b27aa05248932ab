using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using Q4Gen.Tests.Kernels;
using Q4Gen.Tests.Packaging;

namespace Q4Gen.Tests.Deployment;

/// <summary>
/// Which kernels an executable of NativeAOT has, and which it runs, by the instruction sets that it was compiled for:
/// docs/deployment.md's table.
/// </summary>
[Collection(nameof(NativeCollection))]
[Trait(Emulated.Trait, Emulated.Never)] // The table is for x64, and builds take minutes there.
public class NativeKernelTests(NativeProbe probe)
{
    private const string Exact = ProbeSources.Shape;
    private const string Int8 = ProbeSources.Shape + "_int8";

    [Fact]
    public async Task UnsetTakesAvx2AndChoosesVnniAtRunTime()
    {
        SkipUnlessX64();
        Assert.SkipUnless(KernelSelectionTests.IsAvailable(KernelIsa.Avx2), "This processor has no AVX2, which the executable needs.");
        NativeExecutable executable = await probe.PublishAsync(instructionSet: null);
        Assert.Contains("compiling for processors with AVX2 and FMA (IlcInstructionSet=x86-64-v3)", executable.BuildOutput, StringComparison.Ordinal);

        await AssertRunsAsync(executable, "DOTNET_EnableAVX512", KernelIsa.Avx2, AvxVnni.IsSupported ? KernelIsa.AvxVnni : KernelIsa.Avx2);
        await AssertHasAsync(executable, $"Gemv_{Exact}_avx2", "vpmaddubsw %ymm", "vfmadd231ps %ymm");
        await AssertHasAsync(executable, $"Rows4_{Exact}_avx2", "vcvtdq2ps %ymm", "vfmadd231ps %ymm");
        await AssertHasAsync(executable, $"Tile6_{Exact}_avx2", "vfmadd231ps ");
        await AssertHasAsync(executable, $"Rows4_{Int8}_avx2", "vpmaddubsw %ymm");
        await AssertHasAsync(executable, $"Rows5_{Int8}_avxvnni", "vpdpbusd %ymm");
        Assert.Equal("", await executable.DisassembleAsync($"Gemv_{Exact}_avx512"));
    }

    [Fact]
    public async Task WithoutAvx2InTheBaselineThereIsNoneOnAnyProcessor()
    {
        SkipUnlessX64();
        NativeExecutable executable = await probe.PublishAsync(NativeProbe.Base);
        Assert.DoesNotContain("Q4Gen: compiling for", executable.BuildOutput, StringComparison.Ordinal);

        await AssertRunsAsync(executable, "DOTNET_EnableAVX2", KernelIsa.Vector128, KernelIsa.Vector128);
        await AssertHasAsync(executable, $"Gemv_{Exact}_vector128", "mulps ", "%xmm");
        Assert.Equal("", await executable.DisassembleAsync($"Gemv_{Exact}_avx2"));
        Assert.Equal("", await executable.DisassembleAsync($"Gemv_{Int8}_avxvnni"));
    }

    [Fact]
    public async Task NativeTakesWhatTheJitTakes()
    {
        SkipUnlessX64();
        NativeExecutable executable = await probe.PublishAsync("native");

        KernelIsa int8 = AvxVnni.IsSupported ? KernelIsa.AvxVnni : Avx512BW.IsSupported ? KernelIsa.Avx512 : KernelSelectionTests.Best();
        await AssertRunsAsync(executable, switchedOff: null, KernelSelectionTests.Best(), int8);
    }

    /// <summary>One for AVX-512 has its kernels, and says plainly on a lesser processor why it does not run.</summary>
    [Fact]
    public async Task AnExecutableAboveTheProcessorSaysSo()
    {
        SkipUnlessX64();
        NativeExecutable executable = await probe.PublishAsync("x86-64-v4");

        await AssertHasAsync(executable, $"Gemv_{Exact}_avx512", "vpermps ", "%zmm", "vfmadd231ps ");
        await AssertHasAsync(executable, $"Rows4_{Int8}_avx512", "vpmaddubsw %zmm");
        await AssertHasAsync(executable, $"Rows5_{Int8}_avxvnni", "vpdpbusd %ymm");
        if (KernelSelectionTests.IsAvailable(KernelIsa.Avx512))
        {
            await AssertRunsAsync(executable, switchedOff: null, KernelIsa.Avx512, AvxVnni.IsSupported ? KernelIsa.AvxVnni : KernelIsa.Avx512);
            return;
        }

        CommandResult result = await executable.RunAsync();
        Assert.NotEqual(0, result.ExitCode);
        Assert.Equal("The required instruction sets are not supported by the current CPU.", result.Output.Trim());
    }

    /// <summary>The kernels, and to the last bit what the JIT computes with the same ones.</summary>
    private async Task AssertRunsAsync(NativeExecutable executable, string? switchedOff, KernelIsa exact, KernelIsa int8)
    {
        string[] lines = (await executable.RunAsync()).EnsureSucceeded().Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(3, lines.Length);
        Assert.StartsWith($"exact {exact} ", lines[0], StringComparison.Ordinal);
        Assert.StartsWith($"int8 {int8} ", lines[1], StringComparison.Ordinal);
        Assert.Equal(await probe.RunUnderTheJitAsync(switchedOff), lines);
    }

    /// <summary>A kernel of these instructions, without a call and without vectors that are put together from halves.</summary>
    private static async Task AssertHasAsync(NativeExecutable executable, string kernel, params string[] instructions)
    {
        string code = await executable.DisassembleAsync(kernel);
        Assert.True(code.Length > 0, $"There is no {kernel} in the executable.");
        foreach (string instruction in instructions)
        {
            Assert.Contains(instruction, code, StringComparison.Ordinal);
        }

        Assert.DoesNotContain("\tcall", code, StringComparison.Ordinal);
        Assert.DoesNotContain("vinsertf128", code, StringComparison.Ordinal);
    }

    private static void SkipUnlessX64() =>
        Assert.SkipUnless(RuntimeInformation.ProcessArchitecture == Architecture.X64, "Instruction sets of x64.");
}
