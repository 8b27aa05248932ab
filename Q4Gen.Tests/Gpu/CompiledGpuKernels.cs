using System.Reflection;
using System.Text.RegularExpressions;
using ILGPU;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.PTX;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using Microsoft.CodeAnalysis;
using Q4Gen.Gpu;
using Q4Gen.Gpu.Kernels;
using Q4Gen.Testing;
using Q4Gen.Tests.Kernels;

namespace Q4Gen.Tests.Gpu;

/// <summary>GPU kernels generated and compiled while tests run, as C# and as PTX.</summary>
internal sealed partial class CompiledGpuKernels : IDisposable
{
    private readonly LoadedProgram _program;
    private readonly Context _context = Context.Create(static builder => builder.Optimize(ILGPU.OptimizationLevel.O2));

    private CompiledGpuKernels(LoadedProgram program) => _program = program;

    /// <summary>A program's references, with the GPU runtime among them.</summary>
    public static HarnessOptions WithGpu(HarnessOptions options) => options with
    {
        References =
        [
            .. options.References,
            MetadataReference.CreateFromFile(typeof(GpuContext).Assembly.Location),
            MetadataReference.CreateFromFile(typeof(Context).Assembly.Location),
        ],
    };

    /// <summary>Compiles the kernels of some shapes. What they register stays out of the registry that other tests meet.</summary>
    public static CompiledGpuKernels Compile(params IEnumerable<Linear4BitShape> shapes)
    {
        // Checked arithmetic and no unsafe code: kernels must compile whatever their program's options are.
        HarnessOptions options = WithGpu(new HarnessOptions { CheckedArithmetic = true });
        HarnessResult result = GeneratorHarness.Run(CompiledKernels.Source(shapes), options);
        return new CompiledGpuKernels(GeneratorHarness.Load(
            result.Files
                .Where(static f => f.Key.Contains("_gpu", StringComparison.Ordinal) || f.Key.Contains("_simt", StringComparison.Ordinal)
                    || f.Key.Contains("_mma", StringComparison.Ordinal))
                .ToDictionary(),
            options));
    }

    /// <summary>The kernels of a shape.</summary>
    public GpuKernelFamily Family(Linear4BitShape shape) =>
        (GpuKernelFamily)_program.Type($"Q4Gen.Generated.Linear4Bit_{shape.In}x{shape.Out}_g{shape.Group}_gpu")
            .GetField("Instance", BindingFlags.Public | BindingFlags.Static)!.GetValue(null)!;

    /// <summary>A tensor kernel in PTX, as a device of that architecture would get it.</summary>
    public string Ptx(TensorKernel kernel, int major, int minor = 0) =>
        Ptx(kernel.Body.Method, new KernelSpecialization(kernel.Threads, kernel.MinGroups), major, minor);

    /// <summary>A SIMT kernel in PTX.</summary>
    public string Ptx(Delegate simt, int major, int minor = 0) => Ptx(simt.Method, new KernelSpecialization(32, null), major, minor);

    public void Dispose()
    {
        _context.Dispose();
        _program.Dispose();
    }

    private string Ptx(MethodInfo kernel, KernelSpecialization specialization, int major, int minor)
    {
        var architecture = new CudaArchitecture(major, minor);
        using var backend = new PTXBackend(_context, new CudaCapabilityContext(architecture), architecture, CudaInstructionSet.ISA_70, null);
        var compiled = (PTXCompiledKernel)backend.Compile(EntryPointDescription.FromExplicitlyGroupedKernel(kernel), specialization);
        return compiled.PTXAssembly;
    }

    /// <summary>PTX without the numbers that ILGPU deals out as it goes.</summary>
    public static string WithoutNumbers(string ptx)
    {
        var numbers = new Dictionary<string, int>();
        return ParameterOrLabel().Replace(ptx.ReplaceLineEndings("\n"), match =>
        {
            string stem = match.Groups[1].Value;
            return stem + (stem.StartsWith("L_", StringComparison.Ordinal) ? numbers.TryAdd(match.Value, numbers.Count) ? numbers[match.Value] : numbers[match.Value] : "");
        });
    }

    [GeneratedRegex(@"\b(L_|_[a-z]\w*_)\d+\b")]
    private static partial Regex ParameterOrLabel();
}
