using System.Text.RegularExpressions;
using ILGPU;
using Q4Gen.Gpu;
using Q4Gen.Gpu.Kernels;
using Q4Gen.Testing;
using Q4Gen.Tests.Gpu.Ptx;
using Q4Gen.Tests.Kernels;

namespace Q4Gen.Tests.Gpu;

/// <summary>
/// <c>Q4Gen.Runtime.Ilgpu/Ptx/shared.ptx</c>, which programs without ILGPU run: it is what ILGPU makes of the kernels in C# that
/// other tests check.
/// </summary>
[Trait(Emulated.Trait, Emulated.Never)] // The compiler takes minutes there, and nothing here depends on the processor.
public partial class SharedPtxTests
{
    private static readonly string s_path = Path.Combine(Repository.Root!, "Q4Gen.Runtime.Ilgpu", "Ptx", "shared.ptx");

    /// <summary>Every kernel that all shapes share: its entry's name, what it is, and threads of its groups.</summary>
    private static readonly (string Name, Delegate Kernel, int Threads)[] s_kernels =
    [
        (SharedPtx.SplitNibbles, SplitNibbles.SplitInGroups, SharedPtx.SplitThreads),
        (SharedPtx.GatherF32, InputKernels.Gather<float>, InputKernels.Threads),
        (SharedPtx.GatherF16, InputKernels.Gather<ILGPU.Half>, InputKernels.Threads),
        (SharedPtx.SumF32, InputKernels.Sum<F32>, InputKernels.Threads),
        (SharedPtx.SumF16, InputKernels.Sum<F16>, InputKernels.Threads),
        (SharedPtx.AddOffsetsF32, InputKernels.AddOffsets<F32>, InputKernels.Threads),
        (SharedPtx.AddOffsetsF16, InputKernels.AddOffsets<F16>, InputKernels.Threads),
        (SharedPtx.SplitPlanes, Planes.Split, Planes.Threads),
        (SharedPtx.Pad, Planes.Pad, Planes.Threads),
        (SharedPtx.JoinF32, Planes.Join<F32>, Planes.Threads),
        (SharedPtx.JoinF16, Planes.Join<F16>, Planes.Threads),
        (SharedPtx.CopyF32, Planes.Copy<F32>, Planes.Threads),
        (SharedPtx.CopyF16, Planes.Copy<F16>, Planes.Threads),
        (SharedPtx.Unpack, UnpackedKernels.Unpack, UnpackedKernels.Threads),
        (SharedPtx.Multiply(GpuElement.Float32, GpuElement.Float32), UnpackedKernels.Multiply<F32, F32>, UnpackedKernels.Threads),
        (SharedPtx.Multiply(GpuElement.Float32, GpuElement.Float16), UnpackedKernels.Multiply<F32, F16>, UnpackedKernels.Threads),
        (SharedPtx.Multiply(GpuElement.Float16, GpuElement.Float32), UnpackedKernels.Multiply<F16, F32>, UnpackedKernels.Threads),
        (SharedPtx.Multiply(GpuElement.Float16, GpuElement.Float16), UnpackedKernels.Multiply<F16, F16>, UnpackedKernels.Threads),
        (SharedPtx.Generic(GpuElement.Float32, GpuElement.Float32), GenericSimtKernel.Gemv<F32, F32>, 32),
        (SharedPtx.Generic(GpuElement.Float32, GpuElement.Float16), GenericSimtKernel.Gemv<F32, F16>, 32),
        (SharedPtx.Generic(GpuElement.Float16, GpuElement.Float32), GenericSimtKernel.Gemv<F16, F32>, 32),
        (SharedPtx.Generic(GpuElement.Float16, GpuElement.Float16), GenericSimtKernel.Gemv<F16, F16>, 32),
    ];

    [Fact]
    public void ItIsWhatIlgpuMakesOfTheKernels()
    {
        using CompiledGpuKernels compiler = CompiledGpuKernels.Compile(new Linear4BitShape(24, 20, 8));
        string text = ".version 7.0\n.target sm_80\n.address_size 64\n\n"
            + string.Join("\n", s_kernels.Select(kernel => Entry(compiler.Ptx(kernel.Kernel, 8, kernel.Threads), kernel.Name)));
        Assert.True(text.All(char.IsAscii));
        if (Environment.GetEnvironmentVariable(Snapshots.AcceptVariable) == "1" && Environment.GetEnvironmentVariable("CI") is null)
        {
            File.WriteAllText(s_path, text);
        }

        Assert.Equal(text, File.ReadAllText(s_path).ReplaceLineEndings("\n"));
        Assert.Equal(text, SharedPtx.Text().ReplaceLineEndings("\n"));
    }

    [Theory]
    [InlineData("sm_80")]
    [InlineData("sm_90")]
    public void AnAssemblerTakesItAndSpillsNothing(string target)
    {
        Assert.SkipWhen(PtxAssembler.Find() is null, "ptxas is not installed; scripts/get-ptxas.sh brings it.");
        string text = File.ReadAllText(s_path);
        foreach ((string name, _, _) in s_kernels)
        {
            PtxFigures figures = PtxAssembler.Assemble(text, target, name);
            Assert.Equal((0, 0, 0), (figures.StackBytes, figures.SpillStoreBytes, figures.SpillLoadBytes));
        }
    }

    [Fact]
    public void EveryNameIsThere() =>
        Assert.Equal(s_kernels.Select(static kernel => kernel.Name).Order(StringComparer.Ordinal), PtxProgram.Parse(SharedPtx.Text()).Entries.Keys.Order(StringComparer.Ordinal));

    /// <summary>
    /// One kernel of a module of its own, under another name: the head is left out, what is global to the module gets the name in
    /// front, and numbers that ILGPU deals out begin at one.
    /// </summary>
    private static string Entry(string ptx, string name)
    {
        string body = Head().Replace(CompiledGpuKernels.WithoutNumbers(ptx), "");
        body = EntryName().Replace(body, $".entry {name}(");
        foreach (Match global in Global().Matches(body))
        {
            body = body.Replace(global.Groups[1].Value, $"{name}_{global.Groups[1].Value.TrimStart('_')}", StringComparison.Ordinal);
        }

        return body.Trim('\n') + "\n";
    }

    [GeneratedRegex(@"^(//.*|\.version.*|\.target.*|\.address_size.*)\n", RegexOptions.Multiline)]
    private static partial Regex Head();

    [GeneratedRegex(@"\.entry \w+\(")]
    private static partial Regex EntryName();

    [GeneratedRegex(@"^\.(?:shared|global|const)\b.*?([A-Za-z_]\w*)\[", RegexOptions.Multiline)]
    private static partial Regex Global();
}
