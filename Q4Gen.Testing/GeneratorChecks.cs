using System.Globalization;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Q4Gen.Testing;

/// <summary>
/// What must hold for every program that the generator runs on: it works incrementally, keeps nothing of the compiler
/// alive, compiles under the most demanding options, and writes the same bytes whatever the machine.
/// </summary>
public static class GeneratorChecks
{
    private const string UnrelatedSource = "internal static class UnrelatedToAnything { internal const int Answer = 42; }";

    /// <summary>
    /// Cultures in which careless code prints something else: a dotless i, other digits and signs, a decimal comma,
    /// and one made up to differ from the invariant culture in every sign, on machines without culture data too.
    /// </summary>
    public static IReadOnlyList<CultureInfo> Cultures { get; } = CreateCultures();

    /// <summary>Runs every check on a program of one file, with <see cref="HarnessOptions.Default"/>.</summary>
    /// <inheritdoc cref="All(IReadOnlyList{string}, HarnessOptions?)"/>
    public static HarnessResult All(string source) => All([source]);

    /// <summary>Runs every check on a program of one file.</summary>
    /// <inheritdoc cref="All(IReadOnlyList{string}, HarnessOptions?)"/>
    public static HarnessResult All(string source, HarnessOptions? options) => All([source], options);

    /// <summary>Runs every check on a program, with <see cref="HarnessOptions.Default"/>.</summary>
    /// <inheritdoc cref="All(IReadOnlyList{string}, HarnessOptions?)"/>
    public static HarnessResult All(IReadOnlyList<string> sources) => All(sources, options: null);

    /// <summary>Runs every check on a program.</summary>
    /// <param name="sources">Texts of its files.</param>
    /// <param name="options"><see cref="HarnessOptions.Default"/> where null.</param>
    /// <returns>The plain run, for what else a test wants to see.</returns>
    /// <exception cref="GeneratorCheckException">A check failed.</exception>
    public static HarnessResult All(IReadOnlyList<string> sources, HarnessOptions? options)
    {
        HarnessResult result = GeneratorHarness.Run(sources, options);
        Text(result);
        Deterministic(result);
        Hostile(result);
        Incremental(result);
        NothingLeaks(result);
        return result;
    }

    /// <summary>Generated texts have LF line ends, no tabs and no trailing white space, and end with one line end.</summary>
    /// <exception cref="GeneratorCheckException">One does not.</exception>
    public static void Text(HarnessResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        foreach ((string name, string text) in result.Files)
        {
            if (text.AsSpan().ContainsAny('\r', '\t'))
            {
                throw new GeneratorCheckException($"{name} contains carriage returns or tabs.");
            }

            if (!text.EndsWith('\n') || text.EndsWith("\n\n", StringComparison.Ordinal))
            {
                throw new GeneratorCheckException($"{name} does not end with exactly one line end.");
            }

            int line = 1;
            foreach (ReadOnlySpan<char> content in text.AsSpan().EnumerateLines())
            {
                if (content.EndsWith(' '))
                {
                    throw new GeneratorCheckException($"{name} has white space at the end of line {line}.");
                }

                line++;
            }
        }
    }

    /// <summary>A second generator from scratch writes the same, and so does one that meets the files in reverse order.</summary>
    /// <exception cref="GeneratorCheckException">It does not.</exception>
    public static void Deterministic(HarnessResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        SameFiles(result, FromScratch(result.Input, result.Options), "a second run");
        CSharpCompilation reversed = result.Input.RemoveAllSyntaxTrees().AddSyntaxTrees(result.Input.SyntaxTrees.Reverse());
        SameFiles(result, FromScratch(reversed, result.Options), "a run on the files in reverse order");
    }

    /// <summary>
    /// Under checked arithmetic, nullable, warnings as errors (missing documentation included) and in each of
    /// <see cref="Cultures"/> the program compiles, and the generated files stay the same.
    /// </summary>
    /// <exception cref="GeneratorCheckException">It does not, or they do not.</exception>
    public static void Hostile(HarnessResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        string[] sources = Sources(result);
        HarnessOptions strict = result.Options with
        {
            CheckedArithmetic = true,
            Strict = true,
            Nullable = NullableContextOptions.Enable,
        };
        bool compiled = false;
        foreach (CultureInfo culture in Cultures)
        {
            HarnessResult hostile = GeneratorHarness.Run(sources, strict with { Culture = culture });
            SameFiles(result, hostile, $"a run in culture '{culture.Name}'");
            if (!compiled)
            {
                // The texts are the same in every culture, so one compilation speaks for all.
                hostile.EnsureCompiles();
                compiled = true;
            }
        }
    }

    /// <summary>Edits that touch no layer (in another file, above and below the layers) re-run no step.</summary>
    /// <exception cref="GeneratorCheckException">A step ran again and its output is not what it was; or no step is tracked.</exception>
    public static void Incremental(HarnessResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        if (!result.Steps.Any(static s => s.Name.Length != 0))
        {
            throw new GeneratorCheckException("The generator tracks no step, so nothing can be said about its incrementality.");
        }

        AllReused(result.Rerun(), "a second run on the same program");
        AllReused(result.Add(UnrelatedSource), "an added file");
        string[] sources = Sources(result);
        for (int i = 0; i < sources.Length; i++)
        {
            AllReused(result.Edit(sources[i] + "\n// A comment below.\n", i), "a comment at the end of a file");
            AllReused(result.Edit("// A comment above.\n" + sources[i], i), "a comment at the start of a file");
        }
    }

    /// <summary>No output of a step refers to symbols, syntax, compilations, semantic models or locations.</summary>
    /// <exception cref="GeneratorCheckException">One does; the message gives the path to it.</exception>
    public static void NothingLeaks(HarnessResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        string[] leaks = [.. result.Steps.SelectMany(static s => LeakWalker.Find(s.Value, s.Name.Length == 0 ? "(unnamed step)" : s.Name))];
        if (leaks.Length != 0)
        {
            throw new GeneratorCheckException(
                $"Pipeline steps hold on to objects of the compiler:\n{string.Join("\n", leaks.Take(10))}");
        }
    }

    private static HarnessResult FromScratch(CSharpCompilation compilation, HarnessOptions options) =>
        GeneratorHarness.Run(compilation, GeneratorHarness.CreateDriver(options), options);

    private static string[] Sources(HarnessResult result) =>
        [.. result.Input.SyntaxTrees.Select(static tree => tree.GetText().ToString())];

    private static void AllReused(HarnessResult result, string edit)
    {
        TrackedStep[] again = [.. result.Steps.Where(static s => !s.IsReused)];
        if (again.Length != 0)
        {
            throw new GeneratorCheckException(
                $"After {edit} these steps gave something else, though nothing that they depend on changed:\n"
                + string.Join("\n", again.Take(10).Select(static s => s.ToString())));
        }
    }

    private static void SameFiles(HarnessResult expected, HarnessResult actual, string run)
    {
        foreach (string name in expected.Files.Keys.Union(actual.Files.Keys).Order(StringComparer.Ordinal))
        {
            if (!expected.Files.TryGetValue(name, out string? before) || !actual.Files.TryGetValue(name, out string? after))
            {
                throw new GeneratorCheckException($"{name} is generated {(expected.Files.ContainsKey(name) ? "not" : "only")} by {run}.");
            }

            if (before != after)
            {
                throw new GeneratorCheckException($"{name} has another text after {run}:\n{TextDiff.Unified(before, after, name, name)}");
            }
        }
    }

    private static CultureInfo[] CreateCultures()
    {
        var odd = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        odd.NumberFormat.NegativeSign = "~";
        odd.NumberFormat.PositiveSign = "§";
        odd.NumberFormat.NumberDecimalSeparator = "¤";
        odd.NumberFormat.NumberGroupSeparator = "'";
        odd.NumberFormat.NaNSymbol = "?";
        odd.NumberFormat.PositiveInfinitySymbol = "oo";
        odd.NumberFormat.NegativeInfinitySymbol = "~oo";
        string[] named = ["tr-TR", "ar-SA", "de-DE"];
        return [odd, .. named.Select(TryGetCulture).OfType<CultureInfo>()];
    }

    /// <summary>A culture by name; null on machines that run without culture data.</summary>
    private static CultureInfo? TryGetCulture(string name)
    {
        try
        {
            return CultureInfo.GetCultureInfo(name);
        }
        catch (CultureNotFoundException)
        {
            return null;
        }
    }
}
