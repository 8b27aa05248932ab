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
    }
}
