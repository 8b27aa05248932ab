using System.Collections.Immutable;
using System.Globalization;
using System.Numerics.Tensors;
using System.Text;
using Basic.Reference.Assemblies;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Text;

namespace Q4Gen.Testing;

/// <summary>
/// Compiles C# source in memory against .NET 10 and Q4Gen and runs the generator on it, as a build does.
/// </summary>
/// <example>
/// <code>
/// HarnessResult result = GeneratorHarness.Run("""
///     using Q4Gen;
///     public partial class Mlp
///     {
///         [Linear4Bit(In = 64, Out = 32, Group = 32)]
///         public partial Linear4Bit Up { get; }
///     }
///     """);
/// result.EnsureCompiles();
/// Snapshots.Verify(result);
/// </code>
/// </example>
public static class GeneratorHarness
{
    private static readonly ImmutableArray<MetadataReference> s_references =
    [
        .. Net100.References.All,
        MetadataReference.CreateFromFile(typeof(Linear4Bit).Assembly.Location),
        MetadataReference.CreateFromFile(typeof(TensorPrimitives).Assembly.Location),
    ];

    /// <summary>Compiles one source file with <see cref="HarnessOptions.Default"/> and runs the generator.</summary>
    public static HarnessResult Run(string source) => Run([source]);

    /// <summary>Compiles one source file and runs the generator.</summary>
    public static HarnessResult Run(string source, HarnessOptions? options) => Run([source], options);

    /// <summary>Compiles source files, <c>Source0.cs</c> and so on, with <see cref="HarnessOptions.Default"/>.</summary>
    /// <inheritdoc cref="Run(IReadOnlyList{string}, HarnessOptions?)"/>
    public static HarnessResult Run(IReadOnlyList<string> sources) => Run(sources, options: null);

    /// <summary>Compiles source files, <c>Source0.cs</c> and so on, and runs the generator with its steps tracked.</summary>
    /// <param name="sources">Texts of the files.</param>
    /// <param name="options"><see cref="HarnessOptions.Default"/> where null.</param>
    public static HarnessResult Run(IReadOnlyList<string> sources, HarnessOptions? options)
    {
        ArgumentNullException.ThrowIfNull(sources);
        options ??= HarnessOptions.Default;
        return Run(CreateCompilation(sources, options), CreateDriver(options), options);
    }

    /// <summary>Compiles source files as they are, without a generator, for instance texts that it wrote earlier.</summary>
    /// <param name="files">Texts by file name.</param>
    /// <param name="options"><see cref="HarnessOptions.Default"/> where null; its generator is not run.</param>
    /// <exception cref="GeneratorCheckException">The program does not compile.</exception>
    public static LoadedProgram Load(IReadOnlyDictionary<string, string> files, HarnessOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(files);
        options ??= HarnessOptions.Default;
        return LoadedProgram.Emit(CSharpCompilation.Create(
            options.AssemblyName,
            files.Select(file => Parse(file.Value, file.Key, options)),
            s_references.AddRange(options.References),
            options.CompilationOptions));
    }

    internal static CSharpCompilation CreateCompilation(IReadOnlyList<string> sources, HarnessOptions options) =>
        CSharpCompilation.Create(
            options.AssemblyName,
            sources.Select((source, i) => Parse(source, FormattableString.Invariant($"Source{i}.cs"), options)),
            s_references.AddRange(options.References),
            options.CompilationOptions);

    internal static SyntaxTree Parse(string source, string path, HarnessOptions options) =>
        CSharpSyntaxTree.ParseText(SourceText.From(source, Encoding.UTF8), options.ParseOptions, path);

    internal static GeneratorDriver CreateDriver(HarnessOptions options, bool trackSteps = true) =>
        CSharpGeneratorDriver.Create(
            [options.Generator().AsSourceGenerator()],
            additionalTexts: options.AdditionalTexts,
            parseOptions: options.ParseOptions,
            optionsProvider: new ProjectProperties(options.Properties),
            driverOptions: new GeneratorDriverOptions(IncrementalGeneratorOutputKind.None, trackSteps));

    internal static HarnessResult Run(CSharpCompilation compilation, GeneratorDriver driver, HarnessOptions options)
    {
        CultureInfo culture = CultureInfo.CurrentCulture;
        CultureInfo uiCulture = CultureInfo.CurrentUICulture;
        try
        {
            if (options.Culture is not null)
            {
                CultureInfo.CurrentCulture = options.Culture;
                CultureInfo.CurrentUICulture = options.Culture;
            }

            driver = driver.RunGeneratorsAndUpdateCompilation(compilation, out Compilation output, out _);
            return new HarnessResult(options, driver, compilation, (CSharpCompilation)output);
        }
        finally
        {
            CultureInfo.CurrentCulture = culture;
            CultureInfo.CurrentUICulture = uiCulture;
        }
    }
}
