using System.Reflection;
using System.Runtime.Loader;
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
        var parse = new CSharpParseOptions(LanguageVersion.CSharp14);
        var options = new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, optimizationLevel: OptimizationLevel.Release, nullableContextOptions: NullableContextOptions.Enable);
        MetadataReference[] references = References();
        var program = CSharpCompilation.Create("Q4Gen.Bench.Layers", [CSharpSyntaxTree.ParseText(Source(shapes), parse, cancellationToken: ct)], references, options);
        GeneratorDriver driver = CSharpGeneratorDriver.Create([new Q4Generator().AsSourceGenerator()], parseOptions: parse).RunGenerators(program, ct);
        SyntaxTree[] kernels = [.. driver.GetRunResult().Results.Single().GeneratedSources
            .Where(static file => file.HintName.StartsWith(FilePrefix, StringComparison.Ordinal))
            .Select(static file => file.SyntaxTree)];
        using var image = new MemoryStream();
        Microsoft.CodeAnalysis.Emit.EmitResult result = CSharpCompilation.Create("Q4Gen.Bench.Kernels", kernels, references, options).Emit(image, cancellationToken: ct);
        if (!result.Success)
        {
            throw new InvalidOperationException(
                $"The generated kernels do not compile: {result.Diagnostics.First(static diagnostic => diagnostic.Severity == DiagnosticSeverity.Error)}");
        }

        image.Position = 0;
        return new GeneratedKernels(new AssemblyLoadContext("Q4Gen.Bench").LoadFromStream(image));
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

    /// <summary>What this process itself runs on: .NET's assemblies and Q4Gen's.</summary>
    private static MetadataReference[] References()
    {
        string paths = AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES") as string
            ?? throw new InvalidOperationException("This process does not say where its assemblies are, so kernels cannot be compiled against them; run the q4gen that 'dotnet tool install' brings.");
        return
        [
            .. paths.Split(Path.PathSeparator)
                .Where(static path => Path.GetFileName(path).StartsWith("System.", StringComparison.Ordinal))
                .Append(typeof(Linear4Bit).Assembly.Location)
                .Select(static path => MetadataReference.CreateFromFile(path)),
        ];
    }
}
