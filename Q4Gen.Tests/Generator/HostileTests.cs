using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Q4Gen.Testing;

namespace Q4Gen.Tests.Generator;

/// <summary>Programs that get in the way of careless generated code: odd names, odd containers, odd options.</summary>
public class HostileTests
{
    private const string Layer = "[Q4Gen.Linear4Bit(In = 24, Out = 20, Group = 8)] ";

    public static TheoryData<string, string> Programs() => new()
    {
        {
            "names that are keywords",
            $$"""
            namespace @namespace.@if;
            public partial class @class { {{Layer}} public partial Q4Gen.Linear4Bit @event { get; } }
            {{Layer}} public partial class @return;
            """
        },
        {
            "names beyond ASCII",
            $$"""
            namespace Größe.模型;
            public partial class Блок { {{Layer}} public partial Q4Gen.Linear4Bit Straße { get; } }
            {{Layer}} public partial class İstanbul;
            """
        },
        {
            "no namespace",
            $$"""
            public partial class Mlp { {{Layer}} public partial Q4Gen.Linear4Bit Up { get; } }
            {{Layer}} public partial class Head;
            """
        },
        {
            "types of the program that are called like ours and the system's",
            $$"""
            namespace Demo.Q4Gen.System
            {
                public class Linear4Bit; public class Unsafe; public class Vector512; public class Math; public class Half;
                public class KernelFamily; public class PanelScales; public class ReadOnlySpan; public class Generated;
                public partial class Mlp
                {
                    [global::Q4Gen.Linear4Bit(In = 24, Out = 20, Group = 8)]
                    public partial global::Q4Gen.Linear4Bit Up { get; }
                }
                [global::Q4Gen.Linear4Bit(In = 24, Out = 16, Group = 8)]
                public partial class Head;
            }
            """
        },
        {
            "types without namespace that are called like the system's",
            $$"""
            public class Math; public class Unsafe; public class Vector256; public class KernelCall; public class MethodImpl; public class Prefetch;
            namespace Demo { public partial class Mlp { {{Layer}} public partial Q4Gen.Linear4Bit Up { get; } } }
            """
        },
        {
            "members that are called like what generated members use",
            $$"""
            namespace Demo;
            public partial class Mlp
            {
                public int weights, prefix, model, load, System, Q4Gen, Linear4Bit;
                [global::Q4Gen.Linear4Bit(In = 24, Out = 20, Group = 8)] public partial global::Q4Gen.Linear4Bit Up { get; }
            }
            """
        },
        {
            "every kind of container",
            $$"""
            namespace Demo;
            public static partial class Outer
            {
                private partial class Middle<T> where T : class, new()
                {
                    internal partial class Inner<U> { {{Layer}} private partial Q4Gen.Linear4Bit Up { get; } }
                }
                public sealed partial record Record(int Size) { {{Layer}} internal partial Q4Gen.Linear4Bit Up { get; } }
                public partial struct Struct { {{Layer}} public partial Q4Gen.Linear4Bit Up { get; } }
                public partial record struct RecordStruct { {{Layer}} public partial Q4Gen.Linear4Bit Up { get; } }
                public abstract partial class Base { {{Layer}} protected partial Q4Gen.Linear4Bit Up { get; } }
                public partial class Derived : Base { {{Layer}} protected internal partial Q4Gen.Linear4Bit Down { get; } }
            }
            """
        },
        {
            "kernels of every kind of tail",
            string.Concat(Kernels.Layers.Shapes.Where(static s => s.In < 90).Select(static (s, i) =>
                FormattableString.Invariant($"[Q4Gen.Linear4Bit(In = {s.In}, Out = {s.Out}, Group = {s.Group}, Bias = {(i % 2 == 0 ? "true" : "false")})] public partial class Layer{i};\n")))
        },
    };

    [Theory]
    [MemberData(nameof(Programs))]
    public void EveryCheckPasses(string what, string source)
    {
        HarnessResult result = GeneratorChecks.All(source);
        Assert.True(result.Files.Count > 1, what);
    }

    [Fact]
    public void AContainerInTwoFiles()
    {
        HarnessResult result = GeneratorChecks.All(
        [
            $$"""namespace Demo; public partial class Mlp { {{Layer}} public partial Q4Gen.Linear4Bit Up { get; } }""",
            $$"""namespace Demo; public partial class Mlp { {{Layer}} public partial Q4Gen.Linear4Bit Down { get; } }""",
        ]);
        Assert.Single(result.Files.Keys, static f => f.Contains("Mlp", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(LanguageVersion.CSharp13)]
    [InlineData(LanguageVersion.CSharp14)]
    [InlineData(LanguageVersion.Preview)]
    public void EveryLanguageVersionThatHasPartialProperties(LanguageVersion version) => GeneratorHarness.Run(
        $$"""namespace Demo; public partial class Mlp { {{Layer}} public partial Q4Gen.Linear4Bit Up { get; } }""",
        HarnessOptions.Hostile with { LanguageVersion = version }).EnsureCompiles();

    [Fact]
    public void AProgramWithoutNullable() => GeneratorHarness.Run(
        $$"""namespace Demo; public partial class Mlp { {{Layer}} public partial Q4Gen.Linear4Bit Up { get; } }""",
        HarnessOptions.Hostile with { Nullable = NullableContextOptions.Disable }).EnsureCompiles();

    [Fact]
    public void AProgramWithoutLayersGetsNothing()
    {
        HarnessResult result = GeneratorHarness.Run("public class Nothing;");
        Assert.Empty(result.Files);
        Assert.Empty(result.GeneratorDiagnostics);
    }

    [Fact]
    public void TheGeneratorLeavesReportingToTheAnalyzer()
    {
        HarnessResult result = GeneratorHarness.Run("[Q4Gen.Linear4Bit(In = -1)] public class NotEvenPartial;");
        Assert.Empty(result.GeneratorDiagnostics);
    }
}
