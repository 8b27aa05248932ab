using Microsoft.CodeAnalysis;
using Q4Gen.Testing;

namespace Q4Gen.Tests.Generator;

/// <summary>Annotated properties in every kind of container that C# has.</summary>
public class ModelContainerTests
{
    private const string Everything = """
        #nullable enable
        using Q4Gen;

        namespace My.App
        {
            /// <summary>A class.</summary>
            public partial class Mlp
            {
                /// <summary>The user's own words.</summary>
                [Linear4Bit(In = 16, Out = 32, Group = 8)]
                public partial Linear4Bit GateProj { get; }

                [Linear4Bit(In = 16, Out = 32, Group = 8, Name = "up.<proj>")]
                internal partial Linear4Bit? UpProj { get; private set; }

                [Linear4Bit(In = 32, Out = 16, Group = 8, Bias = true)]
                protected internal virtual partial Linear4Bit DownProj { get; set; }

                [Linear4Bit(In = 32, Out = 16, Group = 8)]
                private protected partial Linear4Bit @class { get; init; }
            }

            /// <summary>A sealed record.</summary>
            public sealed partial record Rec
            {
                [Linear4Bit(In = 16, Out = 32, Group = 8)]
                internal partial Linear4Bit GateProj { get; }
            }

            /// <summary>A record struct with a field of its own.</summary>
            public partial record struct RecStruct
            {
                /// <summary>The user's.</summary>
                public int Before { get; set; }

                [Linear4Bit(In = 16, Out = 32, Group = 8)]
                internal readonly partial Linear4Bit GateProj { get; }
            }

            /// <summary>A struct.</summary>
            public partial struct Str
            {
                private int _before;

                [Linear4Bit(In = 16, Out = 32, Group = 8)]
                internal partial Linear4Bit GateProj { readonly get; set; }

                /// <summary>Uses the field.</summary>
                public int Next() => ++_before;
            }

            /// <summary>Nested generics with constraints.</summary>
            public static partial class Outer<T, @in> where T : class, new() where @in : struct
            {
                /// <summary>An interface between.</summary>
                public partial interface Between<TOut>
                {
                    /// <summary>The container.</summary>
                    public sealed partial class Inner<U> where U : class, TOut
                    {
                        [Linear4Bit(In = 16, Out = 32, Group = 8)]
                        internal partial Linear4Bit GateProj { get; }
                    }
                }
            }

            /// <summary>An override.</summary>
            public partial class Derived : Mlp
            {
                [Linear4Bit(In = 32, Out = 16, Group = 8, Name = "other_down", Bias = true)]
                protected internal override partial Linear4Bit DownProj { get; set; }
            }

            /// <summary>A layer.</summary>
            [Linear4Bit(In = 16, Out = 32, Group = 8, Bias = true)]
            public partial class Gate;

            /// <summary>A layer that says its base, in generics.</summary>
            public partial class Holder<T>
            {
                [Linear4Bit(In = 16, Out = 32, Group = 8)]
                internal sealed partial class Gate : Linear4Bit;
            }
        }

        /// <summary>In no namespace, with members that generated names could meet.</summary>
        public partial class Global
        {
            private readonly int _gateProj = 1;

            [Linear4Bit(In = 16, Out = 32, Group = 8)]
            internal partial Linear4Bit GateProj { get; }

            [Linear4Bit(In = 16, Out = 32, Group = 8, Name = "load")]
            internal partial Linear4Bit load { get; }

            [Linear4Bit(In = 16, Out = 32, Group = 8, Name = "prefix")]
            internal partial Linear4Bit prefix { get; set; }

            /// <summary>Uses the field.</summary>
            public int Use() => _gateProj;
        }
        """;

    [Fact]
    public void EveryKindOfContainerCompilesUnderHostileOptionsAndRunsIncrementally()
    {
        HarnessResult result = GeneratorChecks.All(Everything);
        Assert.Contains("My.App.Outer{T,in}.Between{TOut}.Inner{U}.g.cs", result.Files.Keys);

        // Warnings that generated parts cause may show up in the user's files.
        Assert.Empty(GeneratorHarness.Run(Everything, HarnessOptions.Hostile).CompilerDiagnostics);
    }

    [Fact]
    public void ProgramsWithoutNullableContextCompile()
    {
        const string Source = """
            using Q4Gen;
            /// <summary>A model that knows nothing of nullable.</summary>
            public partial class Model
            {
                [Linear4Bit(In = 16, Out = 32, Group = 8)] internal partial Linear4Bit Gate { get; set; }
                internal Model Next { get; set; }
                internal Child[] Children { get; set; }
                internal Child Child;
            }
            /// <summary>A child.</summary>
            public partial class Child
            {
                [Linear4Bit(In = 16, Out = 32, Group = 8)] internal partial Linear4Bit Gate { get; }
            }
            """;
        GeneratorHarness.Run(Source, HarnessOptions.Hostile with { Nullable = NullableContextOptions.Disable }).EnsureCompiles();
        GeneratorHarness.Run("#nullable disable\n" + Source, HarnessOptions.Hostile).EnsureCompiles();
    }

    [Fact]
    public void ALoadOfTheUsersOwnIsKept()
    {
        HarnessResult result = GeneratorHarness.Run("""
            using Q4Gen;
            public partial class Model
            {
                [Linear4Bit(In = 16, Out = 32, Group = 8)] public partial Linear4Bit Gate { get; }
                public void Load(IWeightSource weights, string name) { Model model = this; ModelLoad.Load(ref model, weights, name + ".x"); }
            }
            """).EnsureCompiles();
        Assert.DoesNotContain("void Load(", result.File("Model.g.cs"), StringComparison.Ordinal);
    }

    [Fact]
    public void NullableElementsAndOddNamesCompile()
    {
        GeneratorChecks.All("""
            using System.Collections.Generic;
            using Q4Gen;
            /// <summary>A model.</summary>
            [Linear4BitModel]
            public sealed partial class @class
            {
                internal Child?[]? A { get; set; }
                internal List<Child?>? B;
                internal IReadOnlyList<Child?> C { get; init; } = [];
                internal readonly Child?[] D = new Child?[2];
                internal Child? @event;
                [WeightName("a \"b\" \\ <c> \u2028 {d}")] internal Child @namespace { get; set; } = new();
                /// <summary>Set by whoever makes one.</summary>
                public required Child Required { get; set; }
            }
            /// <summary>A positional child.</summary>
            public partial record Record(Child Inner, Child[] Others)
            {
                [Linear4Bit(In = 16, Out = 32, Group = 8, Name = "x*/\n\"y\" <z>")] internal partial Linear4Bit Gate { get; }
            }
            /// <summary>A child.</summary>
            public partial class Child
            {
                [Linear4Bit(In = 16, Out = 32, Group = 8)] internal partial Linear4Bit Gate { get; }
            }
            """);
    }

    [Fact]
    public void MembersOfOnePartialTypeInSeveralFilesComeInAnOrderThatDoesNotDependOnTheMachine() => GeneratorChecks.All(
    [
        "using Q4Gen; /// <summary>A.</summary>\npublic partial class A { [Linear4Bit(In = 16, Out = 32, Group = 8)] internal partial Linear4Bit One { get; } }",
        "using Q4Gen; public partial class A { [Linear4Bit(In = 16, Out = 32, Group = 8)] internal partial Linear4Bit Two { get; } internal B B = new(); }",
        "using Q4Gen; [Linear4BitModel] public partial class A { } /// <summary>B.</summary>\npublic partial class B { [Linear4Bit(In = 16, Out = 32, Group = 8)] internal partial Linear4Bit Two { get; } }",
    ]);
}
