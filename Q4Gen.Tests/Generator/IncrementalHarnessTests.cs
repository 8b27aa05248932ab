using System.Globalization;
using Microsoft.CodeAnalysis;
using Q4Gen.Testing;

namespace Q4Gen.Tests.Generator;

/// <summary>The harness's own checks, each seen failing on a generator that does what it forbids.</summary>
public class IncrementalHarnessTests
{
    private const string Source = "[Q4Gen.Linear4BitModel] public class A { }\n";

    [Fact]
    public void AGeneratorWithoutFaultsPasses()
    {
        HarnessResult result = GeneratorChecks.All([Source, Source.Replace("A", "B")], Writing(static name => $"// {name}\n"));
        Assert.Equal("// A\n", result.File("A.g.cs"));
        Assert.Equal("// B\n", result.File("B.g.cs"));
    }

    [Theory]
    [InlineData("// a \n", "white space at the end of line 1")]
    [InlineData("// a\r\n", "carriage returns")]
    [InlineData("// a", "exactly one line end")]
    [InlineData("// a\n\n", "exactly one line end")]
    public void UntidyTextIsFound(string text, string expected) => Fails(expected, Writing(_ => text));

    [Theory]
    [InlineData("public class Undocumented { }\n", "CS1591")]
    [InlineData("#nullable enable\ninternal class C { internal static string M() => null; }\n", "CS8603")]
    [InlineData("internal class C { void M() { int unused; } }\n", "CS0168")]
    [InlineData("internal class C { const int Overflow = int.MaxValue + One; const int One = 1; }\n", "CS0220")]
    [InlineData("internal unsafe class C { }\n", "CS0227")]
    [InlineData("internal class C { Missing M; }\n", "CS0246")]
    public void WarningsInGeneratedCodeAreFound(string text, string id) => Fails(id, Writing(_ => text));

    [Fact]
    public void ArithmeticThatReliesOnWrappingIsCheckedToo()
    {
        const string Wraps = "internal class C { static int P(int a) => a * a; public static int M() => P(1 << 20); }\n";
        using LoadedProgram plain = GeneratorHarness.Run(Source, Writing(_ => Wraps)).Load();
        Assert.Equal(0, plain.Call("C", "M"));
        using LoadedProgram hostile = GeneratorHarness.Run(Source, Writing(_ => Wraps) with { CheckedArithmetic = true }).Load();
        Assert.Throws<OverflowException>(() => hostile.Call("C", "M"));
    }

    [Fact]
    public void TextThatDependsOnTheCultureIsFound() => Fails("in culture", Writing(static _ => $"// {-0.5}\n"));

    [Fact]
    public void TextThatDependsOnCaseRulesOfTheCultureIsFound()
    {
        Assert.SkipUnless(
            "i".ToUpper(CultureInfo.GetCultureInfo("tr-TR")) != "I", "This machine runs .NET without culture data.");
        Fails("in culture 'tr-TR'", Writing(static _ => $"// {"i".ToUpper(CultureInfo.CurrentCulture)}\n"));
    }

    [Fact]
    public void TextThatChangesBetweenRunsIsFound() => Fails("a second run", Writing(static _ => $"// {Guid.NewGuid()}\n"));

    [Fact]
    public void AModelWithoutValueEqualityIsFound() =>
        Fails("gave something else", With(static context => new object[] { context.TargetSymbol.Name }));

    [Fact]
    public void AModelThatDependsOnThePositionIsFound() =>
        Fails("a comment at the start of a file", With(static context => context.TargetNode.SpanStart));

    [Fact]
    public void AStepWithoutNameIsCheckedToo() =>
        Fails("(unnamed step)", HarnessOptions.Default with
        {
            Generator = static () => new ModelGenerator(static context => context.TargetSymbol.Name, static _ => "// a\n", combine: true),
        });

    [Theory]
    [MemberData(nameof(Leaks))]
    public void LeaksAreFound(string expected, Func<GeneratorAttributeSyntaxContext, object> leak) =>
        Fails(expected, With(context => new SameForAll(leak(context))));

    public static TheoryData<string, Func<GeneratorAttributeSyntaxContext, object>> Leaks() => new()
    {
        { "NamedTypeSymbol", static c => c.TargetSymbol },
        { "ClassDeclarationSyntax", static c => c.TargetNode },
        { "ParsedSyntaxTree", static c => c.TargetNode.SyntaxTree },
        { "CSharpCompilation", static c => c.SemanticModel.Compilation },
        { "SemanticModel", static c => c.SemanticModel },
        { "SourceLocation", static c => c.TargetNode.GetLocation() },
        { "AttributeData", static c => c.Attributes[0] },
        { "AttributeListSyntax", static c => c.TargetNode.GetFirstToken() },
        { "NamedTypeSymbol", static c => new object?[] { null, 1, new Dictionary<string, object> { ["key"] = c.TargetSymbol } } },
        { "NamedTypeSymbol", static c => new Lazy<string>(() => c.TargetSymbol.Name) },
        { "NamedTypeSymbol", static c => new Cycle(c.TargetSymbol) },
    };

    [Fact]
    public void CyclesWithoutLeaksPass() => GeneratorChecks.NothingLeaks(
        GeneratorHarness.Run(Source, With(static _ => new SameForAll(new Cycle(null)))));

    [Fact]
    public void AGeneratorThatThrowsIsAFailure() => Fails("broken", Writing(static _ => throw new InvalidOperationException("broken")));

    private static void Fails(string expected, HarnessOptions options)
    {
        var exception = Assert.Throws<GeneratorCheckException>(() => GeneratorChecks.All(Source, options));
        Assert.Contains(expected, exception.Message, StringComparison.Ordinal);
    }

    private static HarnessOptions Writing(Func<string, string> text) => HarnessOptions.Default with
    {
        Generator = () => new ModelGenerator(static context => context.TargetSymbol.Name, model => text((string)model)),
    };

    private static HarnessOptions With(Func<GeneratorAttributeSyntaxContext, object> model) => HarnessOptions.Default with
    {
        Generator = () => new ModelGenerator(model, static _ => "// a\n"),
    };

    /// <summary>Turns each annotated class into a model, and each model into a file.</summary>
    private sealed class ModelGenerator(
        Func<GeneratorAttributeSyntaxContext, object> model, Func<object, string> text, bool combine = false) : IIncrementalGenerator
    {
        public void Initialize(IncrementalGeneratorInitializationContext context)
        {
            IncrementalValuesProvider<object> models = context.SyntaxProvider
                .ForAttributeWithMetadataName("Q4Gen.Linear4BitModelAttribute", static (_, _) => true, (c, _) => model(c))
                .WithTrackingName("Model");
            if (combine)
            {
                context.RegisterSourceOutput(
                    models.Combine(context.CompilationProvider),
                    (output, pair) => output.AddSource($"{pair.Left}.g.cs", text(pair.Left)));
                return;
            }

            context.RegisterSourceOutput(
                models,
                (output, m) => output.AddSource($"{m as string ?? "A"}.g.cs", text(m)));
        }
    }

    /// <summary>Equal to every other, so that only the leak check can object to it.</summary>
    private sealed record SameForAll(object Value)
    {
        public bool Equals(SameForAll? other) => other is not null;

        public override int GetHashCode() => 0;
    }

    private sealed class Cycle
    {
        public Cycle(object? value)
        {
            Value = value;
            Self = [this];
        }

        public object? Value { get; }

        public Cycle[] Self { get; }
    }
}
