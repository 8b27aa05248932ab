using System.Reflection;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Q4Gen.Generator.Parsing;
using Q4Gen.Generator.Planning;
using Q4Gen.Testing;
using Q4Gen.Tests.Gpu;
using Q4Gen.Tests.Kernels;

namespace Q4Gen.Tests.Generator;

/// <summary>What the documentation shows compiles, and what it quotes of generated code is generated.</summary>
[Trait(Emulated.Trait, Emulated.Never)] // The compiler takes minutes there, and nothing here depends on the processor.
public partial class DocumentationTests
{
    private const string Mlp = "public partial class Mlp { [Linear4Bit(In = 4096, Out = 11008, Group = 128)] public partial Linear4Bit GateProj { get; } }";

    /// <summary>What stands around a block where it is not a whole program; the pages say it in words.</summary>
    private static readonly Dictionary<string, (string Before, string After)> s_surroundings = new()
    {
        ["README.md#1"] = ("float[] x = new float[4096], y = new float[11008];", ""),
        ["Q4Gen.Runtime.Ilgpu/README.md#1"] = ("Half[] halves = new Half[4 * 4096]; int rows = 4; var mlp = new Mlp();", Mlp),
        ["Q4Gen.Testing/README.md#1"] = ("using Q4Gen;", Mlp + "public sealed class TestAttribute : System.Attribute;"),
        ["docs/gpu.md#1"] = ("Half[] halves = new Half[4 * 4096]; int rows = 4; var mlp = new Mlp();", Mlp),
        ["docs/snapshot-testing.md#1"] = ("using Q4Gen;", Mlp + "public sealed class TestAttribute : System.Attribute;"),
        ["docs/snapshot-testing.md#2"] = (
            "using Q4Gen; using Q4Gen.Testing;",
            Mlp + "public sealed class FactAttribute : System.Attribute; public sealed class TestAttribute : System.Attribute; public sealed class TestClassAttribute : System.Attribute; public sealed class TestMethodAttribute : System.Attribute;"),
        ["docs/snapshot-testing.md#3"] = (
            "using Q4Gen; using Q4Gen.Testing; using System.Threading.Tasks; public class Tests {",
            "}" + Mlp + "public sealed class TestAttribute : System.Attribute; public static class Verifier { public static Task Verify(Microsoft.CodeAnalysis.GeneratorDriver driver) => Task.CompletedTask; }"),
        ["docs/snapshot-testing.md#4"] = (
            "using System; using Q4Gen; using Q4Gen.Testing; public class Tests {",
            "}" + Mlp + "public sealed class TestAttribute : System.Attribute; [Linear4Bit(In = 64, Out = 32, Group = 32)] public partial class GateProj;"),
    };

    private const string Tour = "docs/generated-code-tour.md";

    /// <summary>Blocks that quote generated code, and the programs whose code it is; the tour's are all but the first, which is a program.</summary>
    private static readonly Dictionary<string, string[]> s_quotations = new()
    {
        ["README.md#2"] = ["[Q4Gen.Linear4Bit(In = 4096, Out = 11008, Group = 128)] public partial class Gate;"],
        [Tour] =
        [
            "using Q4Gen;" + Mlp,
            "[Q4Gen.Linear4Bit(In = 4096, Out = 11008, Group = 128, Precision = Q4Gen.Linear4BitPrecision.Int8Activations)] public partial class Up;",
            "[Q4Gen.Linear4Bit(In = 20, Out = 24, Group = 16)] public partial class Small;",
        ],
    };

    [Fact]
    public void EveryProgramCompiles()
    {
        (string Name, string Code)[] programs = [.. Blocks().Where(static block => Quoted(block.Name) is null)];
        Assert.InRange(programs.Length, 8, 100);
        Assert.Empty(s_surroundings.Keys.Except(programs.Select(static block => block.Name)));
        HarnessOptions options = CompiledGpuKernels.WithGpu(HarnessOptions.Default);
        foreach ((string name, string code) in programs)
        {
            (string before, string after) = s_surroundings.GetValueOrDefault(name, ("", ""));
            string program = Arrange($"{before}\n{code}\n{after}");
            bool isProgram = HasStatements(program);
            HarnessResult result = GeneratorHarness.Run(program, options with
            {
                OutputKind = isProgram ? OutputKind.ConsoleApplication : OutputKind.DynamicallyLinkedLibrary,
                References =
                [
                    .. options.References,
                    MetadataReference.CreateFromFile(typeof(KernelSnapshots).Assembly.Location),
                    MetadataReference.CreateFromFile(typeof(Q4Gen.Import.Gguf.GgufSource).Assembly.Location),
                    MetadataReference.CreateFromFile(typeof(GeneratorDriver).Assembly.Location),
                ],
            });
            string[] errors = [.. result.CompilerDiagnostics.Where(static d => d.Severity == DiagnosticSeverity.Error).Select(static d => d.ToString())];
            Assert.True(errors.Length == 0, $"{name}:\n{string.Join("\n", errors)}\n\n{program}");
        }
    }

    /// <summary>The table of options has what an attribute and the package's build files take, in the same words, and nothing else.</summary>
    [Fact]
    public void EveryOptionIsEqualInAttributePropertyAndDocs()
    {
        string page = File.ReadAllText(Path.Combine(Root(), "docs", "models.md"));
        string[][] rows =
        [
            .. page.Split('\n').SkipWhile(static line => !line.StartsWith("| option |", StringComparison.Ordinal)).Skip(2).TakeWhile(static line => line.StartsWith('|'))
                .Select(static line => line.Trim('|').Split('|', StringSplitOptions.TrimEntries)),
        ];
        PropertyInfo[] attribute = typeof(Linear4BitAttribute).GetProperties(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly);
        Assert.Equal(
            attribute.Select(static property => property.Name).Order(StringComparer.Ordinal),
            Cells(1).Order(StringComparer.Ordinal));

        string build = Path.Combine(Root(), "Q4Gen.Generator", "buildTransitive"), targets = File.ReadAllText(Path.Combine(build, "Q4Gen.targets"));
        string[] visible = [.. XDocument.Load(Path.Combine(build, "Q4Gen.props")).Descendants("CompilerVisibleProperty").Select(static item => item.Attribute("Include")!.Value)];
        string[] read = [.. Regex.Matches(targets, @"\$\((Q4Gen\w+)").Select(static match => match.Groups[1].Value)];
        Assert.Equal(
            visible.Select(static name => name.TrimStart('_')).Where(static name => name.StartsWith("Q4Gen", StringComparison.Ordinal)).Concat(read).Distinct().Order(StringComparer.Ordinal),
            Cells(2).Order(StringComparer.Ordinal));

        // The generator asks for what the build makes visible.
        string[] asked = [ProjectOptions.PrecisionProperty, ProjectOptions.TuningProperty, ProjectOptions.TargetListProperty, ProjectOptions.PtxListProperty, ProjectOptions.ProjectFileProperty];
        Assert.Equal(visible.Order(StringComparer.Ordinal), asked.Order(StringComparer.Ordinal));

        AssertValues(ProjectOptions.PrecisionProperty, Enum.GetNames<Linear4BitPrecision>());
        AssertValues(ProjectOptions.TuningProperty, Enum.GetNames<TuningMode>());
        AssertValues(ProjectOptions.TargetsProperty, [.. IsaNames.All]);
        AssertValues(ProjectOptions.PtxProperty, [.. PtxTarget.All.Select(PtxTarget.NameOf)]);
        Assert.All(
            attribute.Where(static property => property.PropertyType == typeof(bool)),
            property => Assert.Equal("`true`, `false`", rows.Single(row => row[1] == $"`{property.Name}`")[3]));
        Assert.Equal(typeof(Linear4BitPrecision), attribute.Single(static property => property.Name == nameof(Linear4BitAttribute.Precision)).PropertyType);

        IEnumerable<string> Cells(int column) => rows.Select(row => row[column].Trim('`')).Where(static cell => cell.Length > 0);

        void AssertValues(string property, string[] values) => Assert.Equal(
            values.Select(static value => $"`{value}`"),
            Regex.Matches(rows.Single(row => row[2] == $"`{property}`")[3], "`[^`]+`").Select(static match => match.Value));
    }

    /// <summary>
    /// Every line, in order and in one file. A page may break and indent lines as it likes; an ellipsis, and an empty line,
    /// stand for lines that are left out.
    /// </summary>
    [Fact]
    public void WhatIsQuotedIsGenerated()
    {
        HarnessOptions options = CompiledGpuKernels.WithGpu(HarnessOptions.Default);
        (string Name, string Code)[] quotations = [.. Blocks().Where(static block => Quoted(block.Name) is not null)];
        Assert.Empty(s_quotations.Keys.Except(quotations.Select(static block => Quoted(block.Name)!)));
        Dictionary<string, string[]> generated = s_quotations.ToDictionary(
            static quoted => quoted.Key,
            quoted => quoted.Value.SelectMany(program => GeneratorHarness.Run(program, options).Files.Values).Select(static text => OneLine(text.Split('\n'))).ToArray());
        foreach ((string name, string code) in quotations)
        {
            string[] stretches = [.. Stretches(code)], files = generated[Quoted(name)!];
            string? missing = stretches.FirstOrDefault(stretch => !files.Any(file => file.Contains(stretch, StringComparison.Ordinal)));
            Assert.True(missing is null, $"{name} quotes what is not generated:\n{missing}");
            Assert.True(files.Any(file => ContainsInOrder(file, stretches)), $"No generated file has all that {name} quotes, in its order.");
        }
    }

    /// <summary>Which of <see cref="s_quotations"/> a block is; null where it is a program of its own.</summary>
    private static string? Quoted(string block)
    {
        string key = block.StartsWith($"{Tour}#", StringComparison.Ordinal) && block != $"{Tour}#1" ? Tour : block;
        return s_quotations.ContainsKey(key) ? key : null;
    }

    private static IEnumerable<string> Stretches(string code)
    {
        var lines = new List<string>();
        foreach (string line in code.Split('\n').Append("…"))
        {
            if (line.Trim() is not ("" or "…"))
            {
                lines.Add(line);
            }
            else if (lines.Count > 0)
            {
                yield return OneLine(lines);
                lines.Clear();
            }
        }
    }

    private static string OneLine(IEnumerable<string> lines) =>
        string.Join(' ', lines.Select(static line => line.Trim()).Where(static line => line.Length > 0));

    private static bool ContainsInOrder(string file, IEnumerable<string> stretches)
    {
        int position = 0;
        foreach (string stretch in stretches)
        {
            int found = file.IndexOf(stretch, position, StringComparison.Ordinal);
            if (found < 0)
            {
                return false;
            }

            position = found + stretch.Length;
        }

        return true;
    }

    private static IEnumerable<(string Name, string Code)> Blocks()
    {
        string root = Root();
        string[] packages = ["Q4Gen.Runtime.Ilgpu/README.md", "Q4Gen.Testing/README.md"];
        string[] pages = [Path.Combine(root, "README.md"), Path.Combine(root, "CONTRIBUTING.md"), .. packages.Select(page => Path.Combine(root, page)), .. Directory.EnumerateFiles(Path.Combine(root, "docs"), "*.md").Order(StringComparer.Ordinal)];
        foreach (string page in pages)
        {
            int index = 0;
            foreach (Match match in CSharpBlock().Matches(File.ReadAllText(page).ReplaceLineEndings("\n")))
            {
                yield return ($"{Path.GetRelativePath(root, page).Replace('\\', '/')}#{++index}", match.Groups[1].Value);
            }
        }
    }

    private static string Root() =>
        Repository.Root ?? throw new DirectoryNotFoundException("The tests do not run from a checkout of the repository.");

    private static bool HasStatements(string code) =>
        CSharpSyntaxTree.ParseText(code).GetCompilationUnitRoot().Members.Any(static member => member is GlobalStatementSyntax);

    /// <summary>Usings, statements, types: a page may show a type before what uses it, which a program may not.</summary>
    private static string Arrange(string code)
    {
        IEnumerable<string> usings = UsingDirective().Matches(code).Select(static match => match.Value.Trim());
        string[] implicitUsings = ["using System;", "using System.Linq;", "using System.Collections.Generic;"];
        string plain = UsingDirective().Replace(code, "");
        CompilationUnitSyntax body = CSharpSyntaxTree.ParseText(plain).GetCompilationUnitRoot();
        return string.Join(
            '\n',
            usings.Concat(implicitUsings).Distinct()
                .Concat(body.Members.OrderBy(static member => member is GlobalStatementSyntax ? 0 : 1).Select(static member => member.ToFullString())));
    }

    [GeneratedRegex("^```csharp\n(.*?)^```", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex CSharpBlock();

    [GeneratedRegex(@"(?m)(?<=^\s*|;\s*)using [\w.]+;")]
    private static partial Regex UsingDirective();
}
