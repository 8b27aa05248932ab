using System.Reflection;
using System.Runtime.Loader;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Q4Gen.Tool.Bench;

/// <summary>Compiles generated files against what this process itself runs on, and loads them.</summary>
internal static class KernelCompiler
{
    /// <summary>How files are parsed.</summary>
    public static CSharpParseOptions ParseOptions { get; } = new(LanguageVersion.CSharp14);

    /// <summary>How they are compiled: as a project's Release build does.</summary>
    public static CSharpCompilationOptions CompilationOptions { get; } =
        new(OutputKind.DynamicallyLinkedLibrary, optimizationLevel: OptimizationLevel.Release, nullableContextOptions: NullableContextOptions.Enable);

    /// <summary>An assembly of generated files.</summary>
    /// <exception cref="InvalidOperationException">They do not compile, or this process does not say where its assemblies are.</exception>
    public static Assembly Load(IEnumerable<SyntaxTree> files, CancellationToken ct)
    {
        using var image = new MemoryStream();
        Microsoft.CodeAnalysis.Emit.EmitResult result = CSharpCompilation.Create("Q4Gen.Bench.Kernels", files, References(), CompilationOptions).Emit(image, cancellationToken: ct);
        if (!result.Success)
        {
            throw new InvalidOperationException(
                $"The generated kernels do not compile: {result.Diagnostics.First(static diagnostic => diagnostic.Severity == DiagnosticSeverity.Error)}");
        }

        image.Position = 0;
        return new AssemblyLoadContext("Q4Gen.Bench").LoadFromStream(image);
    }

    /// <summary>What this process itself runs on: .NET's assemblies and Q4Gen's.</summary>
    public static MetadataReference[] References()
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
