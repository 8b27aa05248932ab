using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Diagnostics;

namespace Q4Gen.Testing;

/// <summary>What one run of the generator gave. Edits start from here and reuse what the run left cached.</summary>
public sealed class HarnessResult
{
    internal HarnessResult(HarnessOptions options, GeneratorDriver driver, CSharpCompilation input, CSharpCompilation output)
    {
        Options = options;
        Driver = driver;
        Input = input;
        Output = output;
        GeneratorRunResult run = driver.GetRunResult().Results.Single();
        if (run.Exception is not null)
        {
            throw new GeneratorCheckException($"The generator threw: {run.Exception}", run.Exception);
        }

        Files = run.GeneratedSources.ToImmutableSortedDictionary(
            static s => s.HintName, static s => s.SourceText.ToString(), StringComparer.Ordinal);
        GeneratorDiagnostics = run.Diagnostics;
        Steps = TrackedStep.Collect(run);
    }

    /// <summary>The options of the run.</summary>
    public HarnessOptions Options { get; }

    /// <summary>The compiler's side of the run, as Verify.SourceGenerators takes it.</summary>
    public GeneratorDriver Driver { get; }

    /// <summary>Texts of the generated files by hint name.</summary>
    public ImmutableSortedDictionary<string, string> Files { get; }

    /// <summary>What the generator itself reported; Q4Gen's leaves reporting to its analyzer.</summary>
    public ImmutableArray<Diagnostic> GeneratorDiagnostics { get; }

    /// <summary>All outputs of the generator's own pipeline steps.</summary>
    public IReadOnlyList<TrackedStep> Steps { get; }

    /// <summary>The program as written.</summary>
    public CSharpCompilation Input { get; }

    /// <summary>The program with the generated files.</summary>
    public CSharpCompilation Output { get; }

    /// <summary>Errors and warnings of the whole program, generated files included.</summary>
    public ImmutableArray<Diagnostic> CompilerDiagnostics =>
        [.. Output.GetDiagnostics().Where(static d => d.Severity >= DiagnosticSeverity.Warning && !d.IsSuppressed)];

    /// <summary>The only generated file whose hint name ends with <paramref name="suffix"/>.</summary>
    /// <exception cref="GeneratorCheckException">There is none, or more than one.</exception>
    public string File(string suffix)
    {
        string[] names = [.. Files.Keys.Where(name => name.EndsWith(suffix, StringComparison.Ordinal))];
        return names.Length == 1
            ? Files[names[0]]
            : throw new GeneratorCheckException(
                $"{names.Length} generated files end with '{suffix}', but one should; there are: {string.Join(", ", Files.Keys)}");
    }

    /// <summary>Runs the generator again after the source file <paramref name="index"/> was replaced.</summary>
    public HarnessResult Edit(string source, int index = 0)
    {
        SyntaxTree old = Input.SyntaxTrees[index];
        return Rerun(Input.ReplaceSyntaxTree(old, GeneratorHarness.Parse(source, old.FilePath, Options)));
    }

    /// <summary>Runs the generator again after a source file was added.</summary>
    public HarnessResult Add(string source) =>
        Rerun(Input.AddSyntaxTrees(GeneratorHarness.Parse(
            source, FormattableString.Invariant($"Source{Input.SyntaxTrees.Length}.cs"), Options)));

    /// <summary>Runs the generator again after an additional file was replaced.</summary>
    /// <exception cref="GeneratorCheckException">The project has no such file.</exception>
    public HarnessResult EditFile(string path, string text)
    {
        if (!Options.AdditionalFiles.ContainsKey(path))
        {
            throw new GeneratorCheckException($"The project has no additional file '{path}'; there are: {string.Join(", ", Options.AdditionalFiles.Keys)}");
        }

        HarnessOptions options = Options with { AdditionalFiles = Options.AdditionalFiles.SetItem(path, text) };
        return GeneratorHarness.Run(Input, Driver.ReplaceAdditionalTexts(options.AdditionalTexts), options);
    }

    /// <summary>Runs the generator again on the same program.</summary>
    public HarnessResult Rerun() => Rerun(Input);

    /// <summary>What the package's analyzers report on the program, in the order of its source.</summary>
    public async Task<ImmutableArray<Diagnostic>> AnalyzeAsync(CancellationToken cancellationToken = default)
    {
        var failures = new List<string>();
        var options = new CompilationWithAnalyzersOptions(
            new AnalyzerOptions(Options.AdditionalTexts, new ProjectProperties(Options.Properties)),
            (exception, analyzer, _) =>
            {
                lock (failures)
                {
                    failures.Add($"{analyzer.GetType().Name} threw: {exception}");
                }
            },
            concurrentAnalysis: true,
            logAnalyzerExecutionTime: false);
        ImmutableArray<Diagnostic> found = await Output
            .WithAnalyzers(PackageAnalyzers(), options)
            .GetAnalyzerDiagnosticsAsync(cancellationToken)
            .ConfigureAwait(false);
        if (failures.Count != 0)
        {
            throw new GeneratorCheckException(string.Join("\n", failures));
        }

        return
        [
            .. found.OrderBy(static d => d.Location.SourceTree?.FilePath, StringComparer.Ordinal)
                .ThenBy(static d => d.Location.SourceSpan.Start)
                .ThenBy(static d => d.Id, StringComparer.Ordinal),
        ];
    }

    /// <summary>Fails where the program with its generated files has errors, or generated files have warnings.</summary>
    /// <returns>This.</returns>
    /// <exception cref="GeneratorCheckException">There are such; the message lists them with their lines.</exception>
    public HarnessResult EnsureCompiles()
    {
        var written = Input.SyntaxTrees.ToHashSet();
        Diagnostic[] bad =
        [
            .. GeneratorDiagnostics.Where(static d => d.Severity == DiagnosticSeverity.Error),
            .. CompilerDiagnostics.Where(d =>
                d.DefaultSeverity == DiagnosticSeverity.Error
                || (d.Location.SourceTree is { } tree && !written.Contains(tree))),
        ];
        return bad.Length == 0 ? this : throw new GeneratorCheckException(Describe(bad));
    }

    /// <summary>Compiles to machine-independent code and loads it, to be run.</summary>
    /// <exception cref="GeneratorCheckException">The program does not compile.</exception>
    public LoadedProgram Load()
    {
        EnsureCompiles();
        return LoadedProgram.Emit(Output);
    }

    internal static string Describe(IReadOnlyCollection<Diagnostic> diagnostics)
    {
        const int Shown = 10;
        IEnumerable<string> lines = diagnostics.Take(Shown).Select(static d =>
            d.Location.SourceTree is { } tree
                ? $"{d}\n    {tree.GetText().Lines[d.Location.GetLineSpan().StartLinePosition.Line].ToString().Trim()}"
                : d.ToString());
        return $"The program has {diagnostics.Count} errors or warnings where none may be:\n{string.Join("\n", lines)}";
    }

    private static ImmutableArray<DiagnosticAnalyzer> PackageAnalyzers() =>
    [
        .. typeof(Q4Gen.Generator.Q4Generator).Assembly.GetTypes()
            .Where(static t => !t.IsAbstract && t.IsSubclassOf(typeof(DiagnosticAnalyzer)))
            .OrderBy(static t => t.FullName, StringComparer.Ordinal)
            .Select(static t => (DiagnosticAnalyzer)Activator.CreateInstance(t)!),
    ];

    private HarnessResult Rerun(CSharpCompilation compilation) => GeneratorHarness.Run(compilation, Driver, Options);
}
