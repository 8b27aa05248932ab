extern alias runtime;

using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Q4Gen.Testing;
using Q4Gen.Tests.Gpu;
using Q4Gen.Tests.Kernels;
using KernelName = runtime::Q4Gen.Format.KernelName;

namespace Q4Gen.Tests.Generator;

/// <summary>The grammar and the tables of names in <c>docs/kernels.md</c> say what is generated, neither less nor more.</summary>
[Trait(Emulated.Trait, Emulated.Never)] // The compiler takes minutes there, and nothing here depends on the processor.
public partial class NamesPageTests
{
    /// <summary>Whole steps and panels, ragged ones, groups too small for tensor cores, a group that only the scalar kernel takes.</summary>
    private static readonly Linear4BitShape[] s_shapes =
        [new(4096, 11008, 128), new(68, 40, 32), new(40, 24, 16), new(40, 24, 12), new(2, 1, int.MaxValue)];

    /// <summary>Types whose files need every sign that the grammar has for them.</summary>
    private const string OddlyNamed = """
        public partial class Outer<T, U>
        {
            public partial class Mlp { [Q4Gen.Linear4Bit(In = 40, Out = 24, Group = 16)] public partial Q4Gen.Linear4Bit Gate { get; } }
            public partial class mlp { [Q4Gen.Linear4Bit(In = 40, Out = 24, Group = 16)] public partial Q4Gen.Linear4Bit Gate { get; } }
        }
        """;

    [Fact]
    public void EveryGeneratedNameFollowsTheGrammar()
    {
        Names names = Generate();
        Regex type = Grammar("class"), kernel = Grammar("kernel");
        foreach (string file in names.Files)
        {
            string production = file.StartsWith("Linear4Bit_", StringComparison.Ordinal) ? "kernel-file"
                : file.StartsWith("Q4Gen.", StringComparison.Ordinal) ? "registration-file" : "type-file";
            Assert.True(Grammar(production).IsMatch(file), $"{file} is no {production}.");
        }

        Assert.DoesNotContain(names.Classes, name => !type.IsMatch(name));
        Assert.DoesNotContain(names.Kernels, name => !kernel.IsMatch(name));
    }

    /// <summary>A terminal that no generated name has would be a role or suffix that is gone.</summary>
    [Fact]
    public void EveryTerminalOfTheGrammarIsGenerated()
    {
        Names names = Generate();
        string[] all = [.. names.Files, .. names.Classes, .. names.Kernels];
        string[] terminals = [.. Terminal().Matches(Grammar()).Select(static match => match.Groups[1].Value.Trim('_')).Where(static t => t.Length > 1 || t == "g")];
        Assert.InRange(terminals.Length, 25, 100);
        Assert.DoesNotContain(terminals, terminal => !all.Any(name => Regex.IsMatch(name, $@"(^|[_.]){Regex.Escape(terminal.TrimStart('.'))}(\d|[_.]|$)")));
    }

    [Fact]
    public void TheTablesListEveryRoleAndSuffix()
    {
        Names names = Generate();
        string page = Page();
        Assert.Equal(
            names.Kernels.Select(static name => name[..name.IndexOf('_', StringComparison.Ordinal)]).Append("Linear4Bit").Distinct().Order(StringComparer.Ordinal),
            Rows(page, "| role |").SelectMany(static row => Code().Matches(row[0]).Select(static match => match.Groups[1].Value)).Order(StringComparer.Ordinal));
        Assert.Equal(
            names.Classes.Select(static name => name[(Shape().Match(name).Index + Shape().Match(name).Length)..]).Where(static suffix => suffix is not ("" or "_int8"))
                .Distinct().Order(StringComparer.Ordinal),
            Rows(page, "| suffix |").Select(static row => row[0].Trim('`')).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void ExamplesOfProductionsAreDerivedFromThem()
    {
        string[][] rows = [.. Rows(Page(), "| production |")];
        Assert.InRange(rows.Length, 10, 100);
        foreach (string[] row in rows)
        {
            string production = row[0].Trim('`'), example = row[1].Trim('`');
            Assert.True(Grammar(production).IsMatch(example), $"{example} is no {production}.");
            if (row[2] is "yes" or "no")
            {
                Assert.Equal(row[2] == "yes", KernelName.TryParse(example, out _));
            }
        }
    }

    private static Names Generate()
    {
        HarnessOptions options = CompiledGpuKernels.WithGpu(HarnessOptions.Default);
        KeyValuePair<string, string>[] files =
        [
            .. new[] { Linear4BitPrecision.Exact, Linear4BitPrecision.Int8Activations }
                .SelectMany(precision => GeneratorHarness.Run(CompiledKernels.Source(s_shapes, precision) + OddlyNamed, options).Files),
        ];
        SyntaxNode[] nodes =
        [
            .. files.Where(static file => file.Key.StartsWith("Linear4Bit_", StringComparison.Ordinal))
                .SelectMany(static file => SyntaxFactory.ParseCompilationUnit(file.Value).DescendantNodes()),
        ];
        return new Names(
            [.. files.Select(static file => file.Key).Distinct()],
            [.. nodes.OfType<ClassDeclarationSyntax>().Select(static c => c.Identifier.Text).Distinct()],
            [.. nodes.OfType<MethodDeclarationSyntax>().Select(static m => m.Identifier.Text).Where(static m => m.Contains('_')).Distinct()]);
    }

    /// <summary>The grammar, which is not recursive, as an expression for all of what a production derives.</summary>
    private static Regex Grammar(string production)
    {
        Dictionary<string, string> productions = Production().Matches(Grammar()).ToDictionary(static m => m.Groups[1].Value, static m => m.Groups[2].Value);
        return new Regex($"^{Expand(production)}$", RegexOptions.CultureInvariant);

        string Expand(string name) => "(?:" + Token().Replace(productions[name], match => match.Value switch
        {
            ['"', .. string terminal, '"'] => Regex.Escape(terminal),
            "[" or "(" => "(?:",
            "]" => ")?",
            "{" => "(?:",
            "}" => ")*",
            ")" or "|" => match.Value,
            "?letter?" => @"\w",
            [>= 'a' and <= 'z', ..] => Expand(match.Value),
            _ => "",
        }) + ")";
    }

    private static string Grammar() => GrammarBlock().Match(Page()) is { Success: true } block
        ? block.Groups[1].Value
        : throw new InvalidDataException("docs/kernels.md has no grammar.");

    /// <summary>The cells of all tables whose header begins so.</summary>
    private static IEnumerable<string[]> Rows(string page, string header)
    {
        string[] lines = page.Split('\n');
        string[][] rows =
        [
            .. lines.Index().Where(line => line.Item.StartsWith(header, StringComparison.Ordinal))
                .SelectMany(line => lines.Skip(line.Index + 2).TakeWhile(static row => row.StartsWith('|')))
                .Select(static row => row.Trim('|').Split('|', StringSplitOptions.TrimEntries)),
        ];
        Assert.NotEmpty(rows);
        return rows;
    }

    private static string Page() => File.ReadAllText(Path.Combine(
        Repository.Root ?? throw new DirectoryNotFoundException("The tests do not run from a checkout of the repository."),
        "docs",
        "kernels.md")).ReplaceLineEndings("\n");

    [GeneratedRegex("^```ebnf\n(.*?)^```", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex GrammarBlock();

    [GeneratedRegex(@"^([a-z0-9-]+)\s+=(.*?);\s*$", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Production();

    [GeneratedRegex("""
        "[^"]*"|\?letter\?|[a-z][a-z0-9-]*|[\[\](){}|]|,|\s+
        """)]
    private static partial Regex Token();

    [GeneratedRegex("\"([^\"]+)\"")]
    private static partial Regex Terminal();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Code();

    [GeneratedRegex(@"\d+x\d+_g\d+")]
    private static partial Regex Shape();

    private sealed record Names(string[] Files, string[] Classes, string[] Kernels);
}
