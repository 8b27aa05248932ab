using System.Collections.Immutable;
using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Q4Gen.Generator.Diagnostics;
using Q4Gen.Testing;

namespace Q4Gen.Tests.Generator;

/// <summary>Every diagnostic fires where it should, stays silent where it should, and has its page.</summary>
public class DiagnosticsTests
{
    private const string Usings = "#nullable enable\nusing Q4Gen;\n";

    /// <summary>Indices of the cases.</summary>
    public static IEnumerable<TheoryDataRow<int, string>> Cases =>
        DiagnosticsCase.All.Select((c, i) => new TheoryDataRow<int, string>(i, c.Id));

    private static readonly DiagnosticDescriptor[] s_testedElsewhere =
    [
        Descriptors.LanguageTooOld, Descriptors.UnknownProjectPrecision, Descriptors.GpuPrecision, Descriptors.UnknownTuningMode, Descriptors.UnknownTarget,
        Descriptors.MalformedTuning, Descriptors.UnknownTuningSchema, Descriptors.StaleTuning, Descriptors.UnknownTunedKernel, Descriptors.MissingTuning,
        Descriptors.UnknownPtxTarget,
    ];

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task FiresWithAMessageThatSaysWhatToType(int index, string id)
    {
        DiagnosticsCase test = DiagnosticsCase.All[index];
        ImmutableArray<Diagnostic> found = await AnalyzeAsync(test.Firing);
        Assert.Equal([id], found.Select(d => d.Id).Distinct());
        Assert.Contains(test.Message, found[0].GetMessage(), StringComparison.Ordinal);
        Assert.True(found[0].Location.IsInSource);
    }

    /// <summary>
    /// A build stops at errors in declarations before it runs analyzers. So what is reported must cause none, except where
    /// the compiler's own error asks for the same (partial), or nothing can be generated (in a local type, an indexer).
    /// </summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void NoErrorOfTheCompilerHidesIt(int index, string id)
    {
        Compilation output = GeneratorHarness.Run(Usings + DiagnosticsCase.All[index].Firing).Output;
        string[] errors =
        [
            .. output.GetParseDiagnostics(TestContext.Current.CancellationToken).Concat(output.GetDeclarationDiagnostics(TestContext.Current.CancellationToken))
                .Where(static d => d.Severity == DiagnosticSeverity.Error).Select(static d => d.Id).Distinct(),
        ];
        string[] expected = (id, DiagnosticsCase.All[index].Firing) switch
        {
            ("Q4G0003", var program) => [.. program.Contains("Outer", StringComparison.Ordinal) ? (string[])["CS0260"] : ["CS9248", "CS0751"]],
            (_, var program) when program.Contains("file partial", StringComparison.Ordinal) || program.Contains("this[", StringComparison.Ordinal) => ["CS9248"],
            _ => [],
        };
        Assert.True(errors.SequenceEqual(expected), $"{id} is hidden by {string.Join(", ", errors)}: {DiagnosticsCase.All[index].Firing}");
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task IsSilentOnWhatTheMessageAsksFor(int index, string id)
    {
        HarnessResult result = GeneratorHarness.Run(Usings + DiagnosticsCase.All[index].Silent).EnsureCompiles();
        ImmutableArray<Diagnostic> found = await result.AnalyzeAsync(TestContext.Current.CancellationToken);
        Assert.True(found.IsEmpty, $"{id} or another fires: {string.Join("; ", found)}");
    }

    [Fact]
    public void WhatIsInErrorCompilesUntilTheDiagnosticIsRead()
    {
        HarnessResult result = GeneratorChecks.All("""
            using Q4Gen;

            namespace Demo;

            /// <summary>Holds a layer that can be made and two that cannot.</summary>
            public partial class Mlp
            {
                /// <summary>Right.</summary>
                [Linear4Bit(In = 8, Out = 16, Group = 8)]
                public partial Linear4Bit Up { get; }

                [Linear4Bit(In = 9, Out = 16, Group = 8)]
                public partial Linear4Bit Gate { get; }

                /// <summary>Of another type.</summary>
                [Linear4Bit(In = 8, Out = 16, Group = 8)]
                protected internal partial string? @class { get; private set; }
            }

            /// <summary>Cannot be filled.</summary>
            public readonly partial struct Fixed
            {
                /// <summary>Right in itself.</summary>
                [Linear4Bit(In = 8, Out = 16, Group = 8)]
                public partial Linear4Bit Up { get; }
            }

            """);
        string mlp = result.File("Demo.Mlp.g.cs");
        Assert.Contains("load.Layer(prefix, \"up\"", mlp, StringComparison.Ordinal);
        Assert.DoesNotContain("gate", mlp, StringComparison.Ordinal);
        Assert.Contains("The declaration of Fixed.Up is in error.", result.File("Demo.Fixed.rejected.g.cs"), StringComparison.Ordinal);
        Assert.DoesNotContain("Load", result.File("Demo.Fixed.rejected.g.cs"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task OldLanguageVersionsAreReported()
    {
        const string Source = "[Linear4Bit(In = 8, Out = 16, Group = 8)] public partial class Gate { }";
        ImmutableArray<Diagnostic> found = await AnalyzeAsync(Source, new HarnessOptions { LanguageVersion = LanguageVersion.CSharp12 });
        Assert.Equal(["Q4G0013"], found.Select(d => d.Id));
        Assert.Contains("compiles C# 12.0; write '<LangVersion>13</LangVersion>'", found[0].GetMessage(), StringComparison.Ordinal);
        Assert.Empty(await AnalyzeAsync(Source, new HarnessOptions { LanguageVersion = LanguageVersion.CSharp13 }));
    }

    [Fact]
    public async Task PragmasSilenceDiagnosticsWhereTheyStand()
    {
        const string Gate = "[Linear4Bit(In = 64, Out = 32, Group = 12)] public partial class Gate";
        Assert.Equal(
            ["Q4G0006"],
            (await AnalyzeAsync($"#pragma warning disable Q4G0006\n{Gate}1;\n#pragma warning restore Q4G0006\n{Gate}2;")).Select(static d => d.Id));
        Assert.Empty(await AnalyzeAsync(
            "#pragma warning disable Q4G0005\n[Linear4Bit(In = 7, Out = 16, Group = 8)] public partial class Gate;\n#pragma warning restore Q4G0005"));
    }

    [Fact]
    public void CSharp13CompilesWhatIsGenerated()
    {
        GeneratorChecks.All(
            "using Q4Gen; partial class A { [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Gate { get; } } [Linear4Bit(In = 8, Out = 16, Group = 8)] partial class B;",
            new HarnessOptions { LanguageVersion = LanguageVersion.CSharp13 });
    }

    [Fact]
    public async Task AProgramFullOfMistakesGetsThemAllAndTheRestIsGenerated()
    {
        const string Source = """
            public partial class A
            {
                [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Good { get; }
                [Linear4Bit(In = 7, Out = 0, Group = 8)] public partial object Bad { get; }
                [Linear4Bit(In = 8, Out = 16, Group = 8)] public Linear4Bit Body => Good;
                [Linear4Bit] public static Linear4Bit Empty { get; set; }
                [Linear4Bit(In = "8", Out = Missing)] public partial Linear4Bit Unreadable { get; }
            }
            """;
        HarnessResult result = GeneratorHarness.Run(Usings + Source);
        Assert.Contains("public partial global::Q4Gen.Linear4Bit Good", result.File("A.g.cs"), StringComparison.Ordinal);
        IEnumerable<string> found = (await result.AnalyzeAsync(TestContext.Current.CancellationToken)).Select(d => d.Id).Distinct().Order();
        Assert.Equal(["Q4G0004", "Q4G0008", "Q4G0009", "Q4G0010"], found);
    }

    [Fact]
    public void EveryDescriptorIsTestedTrackedAndHasAPage()
    {
        string root = RepositoryRoot();
        string releases = File.ReadAllText(Path.Combine(root, "Q4Gen.Generator", "AnalyzerReleases.Unshipped.md"))
            + File.ReadAllText(Path.Combine(root, "Q4Gen.Generator", "AnalyzerReleases.Shipped.md"));
        string index = File.ReadAllText(Path.Combine(root, "docs", "diagnostics", "README.md"));
        Assert.Equal(Descriptors.All.Length, Descriptors.All.Select(d => d.Id).Distinct().Count());
        foreach (DiagnosticDescriptor descriptor in Descriptors.All)
        {
            Assert.True(
                s_testedElsewhere.Contains(descriptor) || DiagnosticsCase.All.Any(c => c.Id == descriptor.Id),
                $"{descriptor.Id} has no case.");
            Assert.Equal($"{Descriptors.HelpLinkBase}{descriptor.Id}.md", descriptor.HelpLinkUri);
            Assert.Contains($"{descriptor.Id} | Q4Gen | {descriptor.DefaultSeverity} |", releases, StringComparison.Ordinal);
            Assert.Contains($"[{descriptor.Id}]({descriptor.Id}.md)", index, StringComparison.Ordinal);
            AssertHasPage(descriptor.Id, descriptor.Title.ToString(CultureInfo.InvariantCulture));
        }
    }

    /// <summary>The package's targets report those, with ids from 1001 on.</summary>
    [Fact]
    public void EveryBuildErrorHasAPage()
    {
        string root = RepositoryRoot();
        string index = File.ReadAllText(Path.Combine(root, "docs", "diagnostics", "README.md"));
        XElement[] errors =
        [
            .. XDocument.Load(Path.Combine(root, "Q4Gen.Generator", "buildTransitive", "Q4Gen.targets")).Descendants()
                .Where(static element => element.Name.LocalName is "Error" or "Warning"),
        ];
        Assert.NotEmpty(errors);
        foreach (XElement error in errors)
        {
            string id = error.Attribute("Code")!.Value;
            Match row = Regex.Match(index, $@"^\| \[{id}\]\({id}\.md\) \| " + error.Name.LocalName.ToLowerInvariant() + @" \| (.*) \|$", RegexOptions.Multiline);
            Assert.True(row.Success, $"{id} is not in the index.");
            Assert.Matches(@"^Q4G1\d{3}$", id);
            Assert.Equal($"{Descriptors.HelpLinkBase}{id}.md", error.Attribute("HelpLink")!.Value);
            Assert.EndsWith($"({Descriptors.HelpLinkBase}{id}.md)", error.Attribute("Text")!.Value, StringComparison.Ordinal);
            AssertHasPage(id, row.Groups[1].Value);
        }

        string[] pages = [.. Directory.EnumerateFiles(Path.Combine(root, "docs", "diagnostics"), "Q4G*.md").Select(static page => Path.GetFileNameWithoutExtension(page))];
        Assert.Equal(
            Descriptors.All.Select(static d => d.Id).Concat(errors.Select(static error => error.Attribute("Code")!.Value)).Order(StringComparer.Ordinal),
            pages.Order(StringComparer.Ordinal));
    }

    private static void AssertHasPage(string id, string title)
    {
        string page = File.ReadAllText(Path.Combine(RepositoryRoot(), "docs", "diagnostics", id + ".md"));
        Assert.StartsWith($"# {id}: {title}\n", page, StringComparison.Ordinal);
        foreach (string section in (string[])["## Cause", "## Example", "## Fix"])
        {
            Assert.Contains($"\n{section}\n", page, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task ExamplesOnThePagesAreRight()
    {
        string folder = Path.Combine(RepositoryRoot(), "docs", "diagnostics");
        foreach (DiagnosticDescriptor descriptor in Descriptors.All.Except(s_testedElsewhere))
        {
            string[] examples =
            [
                .. Regex.Matches(await File.ReadAllTextAsync(Path.Combine(folder, descriptor.Id + ".md"), TestContext.Current.CancellationToken), "```csharp\n(.*?)```", RegexOptions.Singleline)
                    .Select(match => match.Groups[1].Value),
            ];
            Assert.True(examples.Length == 2, $"{descriptor.Id}.md has {examples.Length} examples, not a wrong and a right one.");
            Assert.Contains(descriptor.Id, (await AnalyzeAsync(examples[0])).Select(d => d.Id));
            HarnessResult right = GeneratorHarness.Run(Usings + examples[1]).EnsureCompiles();
            Assert.Empty(await right.AnalyzeAsync(TestContext.Current.CancellationToken));
        }
    }

    private static async Task<ImmutableArray<Diagnostic>> AnalyzeAsync(string source, HarnessOptions? options = null) =>
        await GeneratorHarness.Run(Usings + source, options).AnalyzeAsync(TestContext.Current.CancellationToken);

    private static string RepositoryRoot()
    {
        Assert.SkipWhen(Repository.Root is null, "The tests run outside the repository, whose pages they check.");
        return Repository.Root!;
    }
}
