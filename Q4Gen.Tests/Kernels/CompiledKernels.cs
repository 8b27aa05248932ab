using System.Reflection;
using System.Text;
using Microsoft.CodeAnalysis;
using Q4Gen.Kernels;
using Q4Gen.Testing;

namespace Q4Gen.Tests.Kernels;

/// <summary>
/// Kernels generated and compiled while tests run. They are kept from the registry of kernels, in which other tests
/// would meet them.
/// </summary>
internal sealed class CompiledKernels : IDisposable
{
    private const string IntrinsicsNamespace = "global::System.Runtime.Intrinsics.X86";
    private const string ModelsNamespace = "global::" + nameof(Q4Gen) + "." + nameof(Tests) + "." + nameof(Tests.Kernels) + "." + nameof(Models);

    private readonly LoadedProgram _program;

    private CompiledKernels(LoadedProgram program) => _program = program;

    /// <summary>Compiles the kernels of some shapes.</summary>
    /// <param name="shapes">Different ones.</param>
    /// <param name="inSoftware">Whether x86 instructions are computed by <see cref="Models"/> instead of the processor.</param>
    /// <param name="options">How to compile.</param>
    /// <param name="precision">What kernels do with activations.</param>
    public static CompiledKernels Compile(
        IEnumerable<Linear4BitShape> shapes,
        bool inSoftware,
        HarnessOptions? options = null,
        Linear4BitPrecision precision = Linear4BitPrecision.Exact)
    {
        options ??= HarnessOptions.Default;
        HarnessResult result = GeneratorHarness.Run(Source(shapes, precision), options);
        return Compile(result.Files.Where(static f => f.Key.StartsWith("Linear4Bit_", StringComparison.Ordinal)), inSoftware, options);
    }

    /// <summary>Compiles generated files as they are.</summary>
    public static CompiledKernels Compile(IEnumerable<KeyValuePair<string, string>> files, bool inSoftware, HarnessOptions? options = null)
    {
        Dictionary<string, string> kernels = files.ToDictionary(static f => f.Key, f => inSoftware ? InSoftware(f.Value) : f.Value);
        return new CompiledKernels(GeneratorHarness.Load(kernels, (options ?? HarnessOptions.Default) with
        {
            References = [MetadataReference.CreateFromFile(typeof(CompiledKernels).Assembly.Location)],
        }));
    }

    /// <summary>With models in place of intrinsics, and without a compiler that would labour to optimise them.</summary>
    private static string InSoftware(string text) => text
        .Replace(IntrinsicsNamespace, ModelsNamespace, StringComparison.Ordinal)
        .Replace("[MethodImpl(Compile.Once)]", "", StringComparison.Ordinal);

    /// <summary>A program with one layer of each shape.</summary>
    public static string Source(IEnumerable<Linear4BitShape> shapes, Linear4BitPrecision precision = Linear4BitPrecision.Exact)
    {
        var source = new StringBuilder("namespace Compiled;\n");
        int index = 0;
        foreach (Linear4BitShape shape in shapes)
        {
            source.Append(System.Globalization.CultureInfo.InvariantCulture,
                $"[Q4Gen.Linear4Bit(In = {shape.In}, Out = {shape.Out}, Group = {shape.Group}, Precision = Q4Gen.Linear4BitPrecision.{precision})] internal sealed partial class Layer{index++};\n");
        }

        return source.ToString();
    }

    /// <summary>The kernels of a shape.</summary>
    public KernelFamily Family(Linear4BitShape shape, Linear4BitPrecision precision = Linear4BitPrecision.Exact)
    {
        Type family = _program.Type($"Q4Gen.Generated.Linear4Bit_{shape.In}x{shape.Out}_g{shape.Group}{(precision == Linear4BitPrecision.Int8Activations ? "_int8" : "")}");
        return (KernelFamily)family.GetField("Instance", BindingFlags.Public | BindingFlags.Static)!.GetValue(null)!;
    }

    /// <summary>The kernels of one class.</summary>
    public Linear4BitKernel Kernel(string name) => (Linear4BitKernel)Activator.CreateInstance(_program.Type($"Q4Gen.Generated.{name}"))!;

    public void Dispose() => _program.Dispose();
}
