using System.Collections.Immutable;
using System.Globalization;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Q4Gen.Generator;

namespace Q4Gen.Testing;

/// <summary>How the harness compiles a program and runs the generator on it.</summary>
public sealed record HarnessOptions
{
    /// <summary>Options as a new project has them: C# 14, nullable enabled, a library, unsafe code not allowed.</summary>
    public static HarnessOptions Default { get; } = new();

    /// <summary>
    /// The most demanding options that a project can have: checked arithmetic, nullable enabled, every warning an
    /// error at the highest warning level, and documentation comments diagnosed (CS1591).
    /// </summary>
    public static HarnessOptions Hostile { get; } = new() { CheckedArithmetic = true, Strict = true };

    /// <summary>C# version of the program.</summary>
    public LanguageVersion LanguageVersion { get; init; } = LanguageVersion.CSharp14;

    /// <summary>Whether arithmetic overflow throws where the source does not say.</summary>
    public bool CheckedArithmetic { get; init; }

    /// <summary>Nullable context of the program.</summary>
    public NullableContextOptions Nullable { get; init; } = NullableContextOptions.Enable;

    /// <summary>Whether warnings are errors, at the highest warning level and with documentation comments diagnosed.</summary>
    public bool Strict { get; init; }

    /// <summary>Whether the program may contain unsafe code. Generated code does not need it.</summary>
    public bool AllowUnsafe { get; init; }

    /// <summary>A library, or a program with an entry point.</summary>
    public OutputKind OutputKind { get; init; } = OutputKind.DynamicallyLinkedLibrary;

    /// <summary>Name of the compiled assembly.</summary>
    public string AssemblyName { get; init; } = "HarnessProgram";

    /// <summary>Culture of the thread that generates and compiles; the current one where null.</summary>
    public CultureInfo? Culture { get; init; }

    /// <summary>Preprocessor symbols.</summary>
    public ImmutableArray<string> Symbols { get; init; } = [];

    /// <summary>MSBuild properties that the project sets, such as <c>Q4GenPrecision</c>.</summary>
    public ImmutableDictionary<string, string> Properties { get; init; } = ImmutableDictionary<string, string>.Empty;

    /// <summary>Additional files of the project by path, such as <c>q4gen.tuning.json</c>.</summary>
    public ImmutableDictionary<string, string> AdditionalFiles { get; init; } = ImmutableDictionary<string, string>.Empty;

    /// <summary>References beside .NET 10, Q4Gen and System.Numerics.Tensors.</summary>
    public ImmutableArray<MetadataReference> References { get; init; } = [];

    /// <summary>Creates the generator; Q4Gen's own where nothing else is said.</summary>
    public Func<IIncrementalGenerator> Generator { get; init; } = static () => new Q4Generator();

    internal ImmutableArray<AdditionalText> AdditionalTexts =>
        [.. AdditionalFiles.OrderBy(static file => file.Key, StringComparer.Ordinal).Select(static file => new ProjectFile(file.Key, file.Value))];

    internal CSharpParseOptions ParseOptions => new(
        LanguageVersion,
        Strict ? DocumentationMode.Diagnose : DocumentationMode.Parse,
        preprocessorSymbols: Symbols);

    internal CSharpCompilationOptions CompilationOptions => new(
        OutputKind,
        optimizationLevel: OptimizationLevel.Release,
        checkOverflow: CheckedArithmetic,
        allowUnsafe: AllowUnsafe,
        generalDiagnosticOption: Strict ? ReportDiagnostic.Error : ReportDiagnostic.Default,
        warningLevel: Strict ? 9999 : 4,
        deterministic: true,
        nullableContextOptions: Nullable);
}
