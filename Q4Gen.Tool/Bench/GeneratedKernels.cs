using System.Reflection;
using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Q4Gen.Generator;
using Q4Gen.Kernels;

namespace Q4Gen.Tool.Bench;

/// <summary>
/// The kernels that a project would get for some shapes, generated and compiled here. They are kept from the registry of
/// kernels: nobody else in this process asked for them.
/// </summary>
internal sealed class GeneratedKernels
{
    private const string Namespace = "Q4Gen.Generated";
    private const string FilePrefix = "Linear4Bit_";

    private readonly Assembly _assembly;

    private GeneratedKernels(Assembly assembly) => _assembly = assembly;

    /// <summary>Generates and compiles the kernels of some shapes, for both precisions.</summary>
    /// <exception cref="InvalidOperationException">They do not compile, or this process does not say where its assemblies are.</exception>
    public static GeneratedKernels Compile(IReadOnlyCollection<Linear4BitShape> shapes, CancellationToken ct)
    {
        var program = CSharpCompilation.Create(
            "Q4Gen.Bench.Layers",
            [CSharpSyntaxTree.ParseText(Source(shapes), KernelCompiler.ParseOptions, cancellationToken: ct)],
            KernelCompiler.References(),
            KernelCompiler.CompilationOptions);
        GeneratorDriver driver = CSharpGeneratorDriver.Create([new Q4Generator().AsSourceGenerator()], parseOptions: KernelCompiler.ParseOptions).RunGenerators(program, ct);
        return new GeneratedKernels(KernelCompiler.Load(
            driver.GetRunResult().Results.Single().GeneratedSources
                .Where(static file => file.HintName.StartsWith(FilePrefix, StringComparison.Ordinal))
                .Select(static file => file.SyntaxTree),
            ct));
    }

    /// <summary>The kernels of a shape that was compiled.</summary>
    public KernelFamily Find(Linear4BitShape shape, Linear4BitPrecision precision)
    {
        string name = FormattableString.Invariant($"{Namespace}.{FilePrefix}{shape.In}x{shape.Out}_g{shape.Group}");
        Type type = _assembly.GetType(precision == Linear4BitPrecision.Int8Activations ? $"{name}_int8" : name, throwOnError: true)!;
        return (KernelFamily)type.GetField("Instance", BindingFlags.Public | BindingFlags.Static)!.GetValue(null)!;
    }

    private static string Source(IEnumerable<Linear4BitShape> shapes)
    {
        var text = new StringBuilder("using Q4Gen;\nnamespace Bench;\n");
        int index = 0;
        foreach (Linear4BitShape shape in shapes)
        {
            foreach (Linear4BitPrecision precision in Enum.GetValues<Linear4BitPrecision>())
            {
                text.Append(FormattableString.Invariant(
                    $"[Linear4Bit(In = {shape.In}, Out = {shape.Out}, Group = {shape.Group}, Precision = Linear4BitPrecision.{precision})] partial class Layer{index++};\n"));
            }
        }

        return text.ToString();
    }
}
