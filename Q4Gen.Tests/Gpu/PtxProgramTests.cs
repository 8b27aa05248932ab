using System.Collections.Immutable;
using System.Reflection;
using System.Text;
using Q4Gen.Generator.Planning;
using Q4Gen.Gpu;
using Q4Gen.Gpu.Kernels;
using Q4Gen.Testing;
using Q4Gen.Tests.Gpu.Ptx;
using Q4Gen.Tests.Kernels;

namespace Q4Gen.Tests.Gpu;

/// <summary>
/// Programs that are built with Q4GenPtx: layers run from call to result through CUDA's driver, whose place the interpreter of PTX
/// takes, on the very text that the generator writes.
/// </summary>
[Trait(Emulated.Trait, Emulated.Never)] // The compiler takes minutes there, and nothing here depends on the processor.
public sealed class PtxProgramTests : IDisposable
{
    private const string Targets = "sm_80;sm_90";

    /// <summary>Shapes of this class alone, for their families are registered: a last step and last groups that are cut, one scale a row, many tiles; the last one without kernels for tensor cores.</summary>
    private static readonly Linear4BitShape[] s_shapes = [new(134, 37, 64), new(296, 100, 32), new(264, 52, 264), new(1064, 34, 160), new(77 * 2, 21, 40)];

    /// <summary>Nobody's.</summary>
    private static readonly Linear4BitShape s_unknown = new(54, 19, 7);

    private static readonly Lazy<LoadedProgram> s_program = new(static () => Load(s_shapes));

    private readonly GpuContext _gpu;

    public PtxProgramTests()
    {
        foreach (Linear4BitShape shape in s_shapes)
        {
            GpuKernelRegistry.Register(shape, () => Family(s_program.Value, shape));
        }

        _gpu = InterpretedGpu.Open();
    }

    public void Dispose() => _gpu.Dispose();

    [Theory]
    [InlineData(GpuElement.Float32, GpuElement.Float32, 1)]
    [InlineData(GpuElement.Float32, GpuElement.Float16, 7)]
    [InlineData(GpuElement.Float16, GpuElement.Float32, 8)]
    [InlineData(GpuElement.Float16, GpuElement.Float16, 13)]
    [InlineData(GpuElement.Float16, GpuElement.Float32, 66)]
    public void LayersAgreeWithFloat64(GpuElement input, GpuElement output, int rows)
    {
        foreach (Linear4BitShape shape in s_shapes)
        {
            GpuInputTests.Check(_gpu, shape, affine: false, ordered: false, input, output, rows);
        }

        GpuInputTests.Check(_gpu, s_unknown, affine: false, ordered: false, input, output, Math.Min(rows, 9));
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public void WithOffsetsAndAnInputOrder(bool affine, bool ordered)
    {
        foreach (Linear4BitShape shape in (Linear4BitShape[])[s_shapes[0], s_shapes[1], s_unknown])
        {
            GpuInputTests.Check(_gpu, shape, affine, ordered, GpuElement.Float32, GpuElement.Float32, rows: 2);
            GpuInputTests.Check(_gpu, shape, affine, ordered, GpuElement.Float16, GpuElement.Float16, rows: 3, shift: 1);
        }
    }

    [Fact]
    public void ADisposedContextGivesBackEverything()
    {
        int before = InterpretedDriver.Allocated;
        GpuContext gpu = InterpretedGpu.Open();
        Linear4Bit layer = LayerData.Random(s_shapes[0], seed: 9).CreateLayer().To(gpu);
        GpuTensor x = GpuTensor.From(gpu, new float[s_shapes[0].In], 1, s_shapes[0].In);
        GpuTensor y = layer.Forward(x);
        x.Dispose();
        Assert.True(InterpretedDriver.Allocated > before);
        gpu.Dispose();
        Assert.Equal(before, InterpretedDriver.Allocated);
        Assert.Throws<ObjectDisposedException>(() => y.Download(new float[s_shapes[0].Out]));

        // In whatever order: nothing is freed twice.
        y.Dispose();
        layer.Dispose();
        Assert.Equal(before, InterpretedDriver.Allocated);

        using GpuContext other = InterpretedGpu.Open();
        using Linear4Bit one = LayerData.Random(s_shapes[0], seed: 9).CreateLayer().To(other);
        int with = InterpretedDriver.Allocated;
        one.RemoveFrom(other);
        Assert.True(InterpretedDriver.Allocated < with);
    }

    [Fact]
    public void RowsDecideTheKernel()
    {
        Linear4BitShape shape = s_shapes[1];
        using Linear4Bit layer = LayerData.Random(shape, seed: 5).CreateLayer().To(_gpu);
        Assert.Equal("Linear4Bit_296x100_g32_gpu on tensor cores", layer.GpuKernel(_gpu));
        foreach ((int rows, string kernel) in ((int, string)[])[(1, "Decode"), (8, "Decode"), (9, "Batch"), (64, "Batch"), (65, "Prefill")])
        {
            using GpuTensor x = GpuTensor.From(_gpu, new Half[rows * shape.In], rows, shape.In);
            using GpuTensor y = GpuTensor.Allocate(_gpu, GpuElement.Float16, rows, shape.Out);
            InterpretedDriver.Launched.Clear();
            layer.Forward(x, y);
            Assert.Equal([$"{kernel}_296x100_g32_mma"], InterpretedDriver.Launched);
        }
    }

    [Fact]
    public void ACallAllocatesNothing()
    {
        Linear4BitShape shape = s_shapes[0];
        using Linear4Bit layer = LayerData.Random(shape, seed: 6).CreateLayer().To(_gpu);
        using GpuTensor x = GpuTensor.From(_gpu, new float[2 * shape.In], 2, shape.In);
        using GpuTensor y = GpuTensor.Allocate(_gpu, GpuElement.Float32, 2, shape.Out);
        layer.Forward(x, y);

        // The interpreter itself allocates; without it everything runs up to the driver's function.
        InterpretedDriver.SkipsLaunches = true;
        try
        {
            Assert.Equal(0, Enumerable.Range(0, 30).Min(_ =>
            {
                long before = GC.GetAllocatedBytesForCurrentThread();
                layer.Forward(x, y);
                return GC.GetAllocatedBytesForCurrentThread() - before;
            }));
        }
        finally
        {
            InterpretedDriver.SkipsLaunches = false;
        }
    }

    [Theory]
    [InlineData(8, 0, "sm_80")]
    [InlineData(8, 9, "sm_80")]
    [InlineData(9, 0, "sm_90")]
    [InlineData(12, 0, "sm_90")]
    public void TheBestTargetIsTaken(int major, int minor, string target)
    {
        Linear4BitShape shape = s_shapes[2];
        using GpuContext gpu = InterpretedGpu.Open(major, minor);
        using Linear4Bit layer = LayerData.Random(shape, seed: 7).CreateLayer().To(gpu);
        using GpuTensor x = GpuTensor.From(gpu, new Half[shape.In], 1, shape.In);
        InterpretedDriver.LoadedTargets.Clear();
        using GpuTensor y = layer.Forward(x);
        Assert.Equal([target], InterpretedDriver.LoadedTargets);
    }

    [Fact]
    public void WhatIsWrongIsSaid()
    {
        GpuUnavailableException old = Assert.Throws<GpuUnavailableException>(() => InterpretedGpu.Open(7, 5));
        Assert.Contains("is too old for this program, which has its kernels in PTX for compute capability 8.0 and newer", old.Message, StringComparison.Ordinal);

        // A library that was built for ILGPU: the tests' own layers.
        using Linear4Bit other = LayerData.Random(new Linear4BitShape(130, 33, 64), seed: 8).CreateLayer();
        Assert.Contains("set the MSBuild property Q4GenPtx in the project of the layers", Assert.Throws<GpuUnavailableException>(() => other.To(_gpu)).Message, StringComparison.Ordinal);

        // And the other way round.
        using GpuContext ilgpu = GpuContext.CreateEmulated();
        using Linear4Bit layer = LayerData.Random(s_shapes[0], seed: 8).CreateLayer();
        Assert.Contains("set the MSBuild property Q4GenPtx in the program's project", Assert.Throws<GpuUnavailableException>(() => layer.To(ilgpu)).Message, StringComparison.Ordinal);

        Assert.Throws<InvalidOperationException>(() => _gpu.Accelerator);
        Assert.Throws<InvalidOperationException>(() => _gpu.DefaultStream.Stream);
        using GpuTensor tensor = GpuTensor.Allocate(_gpu, GpuElement.Float32, 4);
        Assert.Throws<InvalidOperationException>(() => tensor.View<float>());
        GpuOutOfMemoryException memory = Assert.Throws<GpuOutOfMemoryException>(() => GpuTensor.Allocate(_gpu, GpuElement.Float32, 1 << 28));
        Assert.Equal((1L << 30, 1L << 28, 1L << 29), (memory.BytesAsked, memory.BytesFree, memory.BytesTotal));
        GpuFaultException broken = Assert.Throws<GpuFaultException>(() => ((PtxKernels)_gpu.Kernels).Load(
            Family(s_program.Value, s_shapes[0]), new PtxKernel("broken", static () => "ret.now;"u8, 1, 1, 1, 32)));
        Assert.StartsWith("The CUDA driver does not take the kernel broken: error 719, ", broken.Message, StringComparison.Ordinal);
        Assert.EndsWith("line 1: it is broken", broken.Message, StringComparison.Ordinal);
        GpuUnavailableException newer = Assert.Throws<GpuUnavailableException>(() => ((PtxKernels)InterpretedGpu.Open(8, 6).Kernels).Load(
            Family(Load([new(64, 32, 32)], "sm_90"), new(64, 32, 32)), new PtxKernel("new", static () => default, 1, 1, 1, 32)));
        Assert.Contains("are in PTX for sm_90, which this device, sm_86, does not run", newer.Message, StringComparison.Ordinal);
    }

    /// <summary>The same instructions as ILGPU gets inline, to the letter, apart from the names of arguments.</summary>
    [Fact]
    public void TheInstructionsAreThoseOfInlinePtx()
    {
        var shape = new Linear4BitShape(296, 100, 32);
        Assert.Equal(Instructions(""), Instructions(Targets));

        string[] Instructions(string targets) =>
        [
            .. GeneratorHarness.Run(CompiledKernels.Source([shape]), Options(targets)).Files
                .Where(static file => file.Key.Contains("_mma", StringComparison.Ordinal)).OrderBy(static file => file.Key, StringComparer.Ordinal)
                .SelectMany(static file => file.Value.Split('\n').Select(static line => line.Trim()))
                .SkipWhile(static line => !line.StartsWith(".reg .pred", StringComparison.Ordinal))
                .Where(static line => line.Contains(';', StringComparison.Ordinal) && !line.StartsWith("using ", StringComparison.Ordinal) && !line.StartsWith("ld.param", StringComparison.Ordinal)
                    && !line.StartsWith("namespace", StringComparison.Ordinal) && !line.Contains("%words, ", StringComparison.Ordinal) && !line.Contains(".reg .b32 %rows", StringComparison.Ordinal)
                    && line is not ("ret;" or "\"\"\"u8;") && !line.StartsWith("words, scales", StringComparison.Ordinal))
                .Select(static line => "words scales bias x y rows flags".Split(' ')
                    .Select(static (name, i) => (Name: name, Index: i))
                    .Aggregate(line.Replace("%%", "%", StringComparison.Ordinal), static (text, argument) => text.Replace($"%{argument.Name}", $"%{argument.Index}", StringComparison.Ordinal))),
        ];
    }

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
            Options(Targets)),
        "../Snapshots",
        static hint => hint.Contains("_gpu", StringComparison.Ordinal) || hint.Contains("_mma_decode", StringComparison.Ordinal));

    [Fact]
    public void AnAssemblerTakesEveryTarget()
    {
        Assert.SkipWhen(PtxAssembler.Find() is null, "ptxas is not installed; scripts/get-ptxas.sh brings it.");
        foreach (Linear4BitShape shape in s_shapes)
        {
            foreach (PtxKernel kernel in Family(s_program.Value, shape).TensorKernels)
            {
                // As far as a ptxas of CUDA 11.8 knows them.
                foreach (int target in (int[])[80, 86, 87, 89, 90])
                {
                    string module = Encoding.ASCII.GetString(PtxModule.Of(target, kernel.Text())).TrimEnd('\0');
                    PtxFigures figures = PtxAssembler.Assemble(module, PtxTarget.NameOf(target), kernel.Name);
                    Assert.Equal((0, 0, 0), (figures.StackBytes, figures.SpillStoreBytes, figures.SpillLoadBytes));
                }
            }
        }
    }

    [Fact]
    public void EveryTargetHasAModuleThatSaysWhatItIs()
    {
        foreach (int target in PtxTarget.All)
        {
            string[] lines = Encoding.ASCII.GetString(PtxModule.Of(target, "ret;"u8)).Split('\n');
            Assert.Matches(@"^\.version [78]\.\d$", lines[0]);
            Assert.Equal($".target sm_{target}", lines[1]);
            Assert.Equal("ret;\0", lines[^1]);
        }
    }

    private static HarnessOptions Options(string targets) => CompiledGpuKernels.WithGpu(
        new HarnessOptions { CheckedArithmetic = true, Properties = ImmutableDictionary<string, string>.Empty.Add("Q4GenPtx", targets) });

    /// <summary>The GPU kernels of some shapes, without what registers them.</summary>
    private static LoadedProgram Load(IEnumerable<Linear4BitShape> shapes, string targets = Targets)
    {
        HarnessOptions options = Options(targets);
        return GeneratorHarness.Load(
            GeneratorHarness.Run(CompiledKernels.Source(shapes), options).Files
                .Where(static file => file.Key.Contains("_gpu", StringComparison.Ordinal) || file.Key.Contains("_mma", StringComparison.Ordinal))
                .ToDictionary(),
            options);
    }

    private static PtxKernelFamily Family(LoadedProgram program, Linear4BitShape shape) =>
        (PtxKernelFamily)program.Type($"Q4Gen.Generated.Linear4Bit_{shape.In}x{shape.Out}_g{shape.Group}_gpu")
            .GetField("Instance", BindingFlags.Public | BindingFlags.Static)!.GetValue(null)!;
}
