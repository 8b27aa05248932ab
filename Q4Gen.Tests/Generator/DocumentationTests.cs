using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
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
        ["docs/getting-started.md#2"] = ("using Q4Gen;", ""),
        ["docs/gpu.md#1"] = ("Half[] halves = new Half[4 * 4096]; int rows = 4; var mlp = new Mlp();", Mlp),
        ["docs/snapshot-testing.md#1"] = ("using Q4Gen;", Mlp + "public sealed class TestAttribute : System.Attribute;"),
        ["docs/snapshot-testing.md#2"] = (
            "using Q4Gen; using Q4Gen.Testing; using System.Threading.Tasks; public class Tests {",
            "}" + Mlp + "public sealed class TestAttribute : System.Attribute; public static class Verifier { public static Task Verify(Microsoft.CodeAnalysis.GeneratorDriver driver) => Task.CompletedTask; }"),
        ["docs/snapshot-testing.md#3"] = (
            "using System; using Q4Gen; using Q4Gen.Testing; public class Tests {",
            "}" + Mlp + "public sealed class TestAttribute : System.Attribute; [Linear4Bit(In = 64, Out = 32, Group = 32)] public partial class GateProj;"),
    };

    /// <summary>Blocks that quote a generated kernel, and the program whose kernel it is.</summary>
    private static readonly Dictionary<string, string> s_quotations = new()
    {
        ["README.md#2"] = "[Q4Gen.Linear4Bit(In = 4096, Out = 11008, Group = 128)] public partial class Gate;",
    };

    [Fact]
    public void EveryProgramCompiles()
    {
        (string Name, string Code)[] programs = [.. Blocks().Where(static block => !s_quotations.ContainsKey(block.Name))];
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
                    MetadataReference.CreateFromFile(typeof(GeneratorDriver).Assembly.Location),
                ],
            });
            string[] errors = [.. result.CompilerDiagnostics.Where(static d => d.Severity == DiagnosticSeverity.Error).Select(static d => d.ToString())];
            Assert.True(errors.Length == 0, $"{name}:\n{string.Join("\n", errors)}\n\n{program}");
        }
    }

    /// <summary>Line by line, where a page may break a line; an ellipsis stands for lines that are left out.</summary>
    [Fact]
    public void WhatIsQuotedIsGenerated()
    {
        foreach ((string name, string code) in Blocks().Where(static block => s_quotations.ContainsKey(block.Name)))
        {
            string generated = string.Join('\n', GeneratorHarness.Run(s_quotations[name]).Files.Values);
            string[] missing = [.. code.Split('\n').Select(static line => line.Trim()).Where(line => line != "…" && !generated.Contains(line, StringComparison.Ordinal))];
            Assert.True(missing.Length == 0, $"{name} quotes what is not generated:\n{string.Join("\n", missing)}");
        }
    }

    private static IEnumerable<(string Name, string Code)> Blocks()
    {
        string root = Repository.Root ?? throw new DirectoryNotFoundException("The tests do not run from a checkout of the repository.");
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
