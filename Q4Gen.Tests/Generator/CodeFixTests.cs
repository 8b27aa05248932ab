using System.Collections.Immutable;
using Basic.Reference.Assemblies;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Text;
using Q4Gen.CodeFixes;
using Q4Gen.Testing;

namespace Q4Gen.Tests.Generator;

/// <summary>Fixes give the text that the message asks for, and that text compiles without diagnostics.</summary>
public class CodeFixTests
{
    private const string Usings = "using Q4Gen;\n\n";
    private const string Layer = "[Linear4Bit(In = 8, Out = 16, Group = 8)]";

    /// <summary>The source, the title of the fix, and the source that it gives.</summary>
    public static TheoryData<string, string, string> Cases => new()
    {
        {
            $"/// <summary>A layer.</summary>\n{Layer}\nclass Gate;",
            "Make 'Gate' partial",
            $"/// <summary>A layer.</summary>\n{Layer}\npartial class Gate;"
        },
        {
            $"public class A\n{{\n    {Layer}\n    public partial Linear4Bit Gate {{ get; }}\n}}",
            "Make 'A' partial",
            $"public partial class A\n{{\n    {Layer}\n    public partial Linear4Bit Gate {{ get; }}\n}}"
        },
        {
            $"// The outer one.\nrecord struct Outer\n{{\n    public partial class A {{ {Layer} public partial Linear4Bit Gate {{ get; }} }}\n}}",
            "Make 'Outer' partial",
            $"// The outer one.\npartial record struct Outer\n{{\n    public partial class A {{ {Layer} public partial Linear4Bit Gate {{ get; }} }}\n}}"
        },
        {
            $"partial class A\n{{\n    {Layer}\n    // Here.\n    Linear4Bit Gate {{ get; }}\n}}",
            "Make the property partial",
            $"partial class A\n{{\n    {Layer}\n    // Here.\n    partial Linear4Bit Gate {{ get; }}\n}}"
        },
        {
            $"partial class A\n{{\n    {Layer}\n    public Linear4Bit Gate {{ get; private set; }} = null!; // End.\n}}",
            "Let Q4Gen write the accessors",
            $"partial class A\n{{\n    {Layer}\n    public partial Linear4Bit Gate {{ get; private set; }} // End.\n}}"
        },
        {
            $"partial class A\n{{\n    {Layer}\n    public Linear4Bit Gate => null!;\n}}",
            "Let Q4Gen write the accessors",
            $"partial class A\n{{\n    {Layer}\n    public partial Linear4Bit Gate {{ get; }}\n}}"
        },
        {
            $"partial class A\n{{\n    private Linear4Bit? _gate;\n\n    {Layer}\n    public Linear4Bit? Gate\n    {{\n        get => _gate;\n        set {{ _gate = value; }}\n    }}\n\n    public void Drop() => _gate = null;\n}}",
            "Let Q4Gen write the accessors",
            $"partial class A\n{{\n    private Linear4Bit? _gate;\n\n    {Layer}\n    public partial Linear4Bit? Gate {{ get; set; }}\n\n    public void Drop() => _gate = null;\n}}"
        },
        {
            $"partial class A\n{{\n    {Layer}\n    public partial object? Gate {{ get; }}\n}}",
            "Change the type to Linear4Bit",
            $"partial class A\n{{\n    {Layer}\n    public partial Linear4Bit? Gate {{ get; }}\n}}"
        },
        {
            $"partial class A\n{{\n    {Layer}\n    static partial Linear4Bit Gate {{ get; }}\n}}",
            "Remove 'static'",
            $"partial class A\n{{\n    {Layer}\n    partial Linear4Bit Gate {{ get; }}\n}}"
        },
        {
            $"{Layer}\npublic abstract partial class Gate;",
            "Remove 'abstract'",
            $"{Layer}\npublic partial class Gate;"
        },
        {
            $"/// <summary>S.</summary>\nreadonly partial struct A\n{{\n    {Layer}\n    public partial Linear4Bit Gate {{ get; }}\n}}",
            "Remove 'readonly'",
            $"/// <summary>S.</summary>\npartial struct A\n{{\n    {Layer}\n    public partial Linear4Bit Gate {{ get; }}\n}}"
        },
        {
            "[Linear4Bit(In = 8, Name = \"gate\", Out = 16, Group = 8)]\npublic partial class Gate;",
            "Remove the name",
            $"{Layer}\npublic partial class Gate;"
        },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task FixesGiveCodeThatCompilesWithoutDiagnostics(string source, string title, string expected)
    {
        (string actualTitle, string actual) = Assert.Single(await FixAsync(Usings + source));
        Assert.Equal(title, actualTitle);
        Assert.Equal(Usings + expected, actual);
        HarnessResult result = GeneratorHarness.Run(actual).EnsureCompiles();
        Assert.Empty(await result.AnalyzeAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task AnImplementingPartElsewhereIsNotTouched() => Assert.Empty(await FixAsync(
        Usings + $"partial class A {{ {Layer} public partial Linear4Bit Gate {{ get; }} public partial Linear4Bit Gate {{ get => null!; }} }}"));

    [Fact]
    public void EveryFixedDiagnosticExistsAndFixesCanBeAppliedInBulk()
    {
        var provider = new Linear4BitCodeFixProvider();
        Assert.Subset(
            Q4Gen.Generator.Diagnostics.Descriptors.All.Select(d => d.Id).ToHashSet(), provider.FixableDiagnosticIds.ToHashSet());
        Assert.Same(WellKnownFixAllProviders.BatchFixer, provider.GetFixAllProvider());
    }

    /// <summary>All fixes that the editor would offer, each with its title and the text that it gives.</summary>
    private static async Task<List<(string Title, string Text)>> FixAsync(string source)
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        using var workspace = new AdhocWorkspace();
        Document document = workspace.AddProject("Fixed", LanguageNames.CSharp)
            .WithCompilationOptions(new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable))
            .AddMetadataReferences([.. Net100.References.All, MetadataReference.CreateFromFile(typeof(Linear4Bit).Assembly.Location)])
            .AddDocument("Source0.cs", SourceText.From(source));
        SyntaxTree tree = (await document.GetSyntaxTreeAsync(cancellation))!;
        ImmutableArray<Diagnostic> found = await GeneratorHarness.Run(source).AnalyzeAsync(cancellation);
        var fixes = new List<(string, string)>();
        foreach (Diagnostic diagnostic in found)
        {
            Location location = Location.Create(tree, diagnostic.Location.SourceSpan);
            var actions = new List<CodeAction>();
            var context = new CodeFixContext(
                document, Diagnostic.Create(diagnostic.Descriptor, location), (action, _) => actions.Add(action), cancellation);
            await new Linear4BitCodeFixProvider().RegisterCodeFixesAsync(context);
            foreach (CodeAction action in actions)
            {
                ImmutableArray<CodeActionOperation> operations = await action.GetOperationsAsync(cancellation);
                Solution solution = operations.OfType<ApplyChangesOperation>().Single().ChangedSolution;
                Document changed = solution.GetDocument(document.Id)!;
                fixes.Add((action.Title, (await changed.GetTextAsync(cancellation)).ToString()));
            }
        }

        return fixes;
    }
}
