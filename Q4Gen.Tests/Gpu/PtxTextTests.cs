using Q4Gen.Gpu.Kernels;
using Q4Gen.Testing;
using Q4Gen.Tests.Kernels;

namespace Q4Gen.Tests.Gpu;

/// <summary>The GPU kernels of one small layer: their C#, the PTX that ILGPU makes of it, and what an assembler makes of that.</summary>
[Trait(Emulated.Trait, Emulated.Never)] // The compiler takes minutes there, and nothing here depends on the processor.
public class PtxTextTests
{
    /// <summary>A last step of 4 columns, a last group of 4, three panels, the last with 8 outputs.</summary>
    private static readonly Linear4BitShape s_tails = new(68, 40, 32);

    /// <summary>What ptxas may make of a tensor kernel: registers of a thread that still let its groups fit, and no spills.</summary>
    public static TheoryData<Linear4BitShape> AssembledShapes { get; } = new(
        new Linear4BitShape(4096, 11008, 128), new Linear4BitShape(11008, 4096, 128), new Linear4BitShape(4096, 4096, 64),
        new Linear4BitShape(2048, 5632, 32), new Linear4BitShape(1500, 81, 96), new Linear4BitShape(130, 33, 64), s_tails);

    [Fact]
    public void GeneratedCode() => Snapshots.Verify(
        GeneratorChecks.All(
            """
            using Q4Gen;

            namespace Demo;

            /// <summary>One layer.</summary>
            [Linear4Bit(In = 68, Out = 40, Group = 32)]
            public partial class Gate;
            """,
            CompiledGpuKernels.WithGpu(HarnessOptions.Default)),
        "../Snapshots",
        static hint => hint.Contains("_gpu", StringComparison.Ordinal) || hint.Contains("_simt", StringComparison.Ordinal)
            || hint.Contains("_mma", StringComparison.Ordinal) || hint.Contains("Registration", StringComparison.Ordinal));

    /// <summary>ILGPU targets sm_80 on newer devices, too: what sm_90 gets is the same text, which its driver compiles.</summary>
    [Fact]
    public void PtxOfEveryKernel()
    {
        using CompiledGpuKernels kernels = CompiledGpuKernels.Compile(s_tails);
        GpuKernelFamily family = kernels.Family(s_tails);
        var files = new SortedDictionary<string, string>(StringComparer.Ordinal);
        Add("Gemv_68x40_g32_simt", major => kernels.Ptx(family.Gemv<F32, F32>(), major));
        foreach (TensorKernel kernel in family.TensorKernels)
        {
            Add(kernel.Name, major => kernels.Ptx(kernel, major));
        }

        Snapshots.Verify(
            files,
            Path.Combine(SourceLocator.FolderOf(SourceFile()), "..", "Snapshots"),
            $"{nameof(PtxTextTests)}.{nameof(PtxOfEveryKernel)}",
            accept: Environment.GetEnvironmentVariable(Snapshots.AcceptVariable) == "1",
            isBuildServer: string.Equals(Environment.GetEnvironmentVariable("CI"), "true", StringComparison.OrdinalIgnoreCase));

        void Add(string name, Func<int, string> compile)
        {
            string text = CompiledGpuKernels.WithoutNumbers(compile(8));
            Assert.Contains(".target sm_80\n", text, StringComparison.Ordinal);
            Assert.Equal(text, CompiledGpuKernels.WithoutNumbers(compile(9)));
            files.Add($"{name}.sm_80_sm_90.ptx", text);
        }
    }

    [Theory]
    [MemberData(nameof(AssembledShapes))]
    public void AssembledKernelsSpillNothing(Linear4BitShape shape)
    {
        Assert.SkipWhen(PtxAssembler.Find() is null, "ptxas is not installed; scripts/get-ptxas.sh brings it.");
        using CompiledGpuKernels kernels = CompiledGpuKernels.Compile(shape);
        GpuKernelFamily family = kernels.Family(shape);
        foreach ((int major, string target) in ((int, string)[])[(8, "sm_80"), (9, "sm_90")])
        {
            foreach (TensorKernel kernel in family.TensorKernels)
            {
                PtxFigures figures = PtxAssembler.Assemble(kernels.Ptx(kernel, major), target, "Kernel_" + kernel.Name);
                TestContext.Current.SendDiagnosticMessage($"{kernel.Name}, {target}: {figures}");
                Assert.Equal((0, 0, 0), (figures.StackBytes, figures.SpillStoreBytes, figures.SpillLoadBytes));

                // 65,536 registers and, unless it is asked for more, 48 KiB of shared memory for a group.
                Assert.InRange(figures.Registers, 32, 65536 / kernel.Threads / kernel.MinGroups);
                Assert.Equal(kernel.MaxRows == 8 ? 8 * 1024 : 48 * 1024, figures.SharedBytes);
            }

            PtxFigures simt = PtxAssembler.Assemble(
                kernels.Ptx(family.Rows4<F16, F16>(), major), target, "Kernel_" + family.Rows4<F16, F16>().Method.Name);
            Assert.Equal((0, 0, 0), (simt.StackBytes, simt.SpillStoreBytes, simt.SpillLoadBytes));
        }
    }

    private static string SourceFile([System.Runtime.CompilerServices.CallerFilePath] string file = "") => file;
}
