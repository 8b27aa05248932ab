using CsCheck;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Q4Gen.Generator.Parsing;
using Q4Gen.Testing;
using Q4Gen.Tests.Kernels;

namespace Q4Gen.Tests.Generator;

/// <summary>
/// The generator parses again only what an edit can have changed. Whatever is edited, also in files without layers, it
/// must write what a generator writes that sees the program for the first time.
/// </summary>
[Trait(Emulated.Trait, Emulated.Never)] // The compiler takes minutes there, and nothing here depends on the processor.
public class StaleParsingTests
{
    private const string Layers = """
        using Q4Gen;
        using Demo.Parts;

        namespace Demo
        {
            public partial class Mlp
            {
                [Linear4Bit(In = Sizes.Hidden, Out = 32, Group = 32)]
                public partial Linear4Bit UpProj { get; }

                public int Count(int a) { return a + 1; }
            }

            public partial class Mlp
            {
                [Alias(In = 8, Out = 16, Group = 8, Precision = Chosen.Precision)]
                internal partial Linear4Bit? Down_proj { get; private set; }
            }

            [Alias(In = 24, Out = 8, Group = 8)]
            public partial class Tail;
        }

        """;

    private const string Model = """
        using Q4Gen;
        using Demo.Parts;

        namespace Demo;

        [Linear4BitModel]
        public partial class Model : Base
        {
            public Mlp First { get; } = new();
            public Norm Norm { get; } = new();
            public Pair<Mlp?>? Pair { get; set; }
            private Inner inner;
            public Attention? Attention { get; set; }
            public Special? Special { get; set; }

            [Linear4BitModel]
            public partial struct Inner { private Mlp[] layers; [Linear4Bit(In = 8, Out = 8, Group = 8)] public partial Linear4Bit Own { get; } }
        }

        """;

    private const string Parts = """
        namespace Demo.Parts
        {
            public static class Sizes { public const int Hidden = 64; public const int Other = 1; }
            public static class Chosen { public const Q4Gen.Linear4BitPrecision Precision = Q4Gen.Linear4BitPrecision.Exact; }
            public class Base { public void Work() { } public int Size => 1; }
            public partial class Norm { public float[] Weights = new float[4]; public void Load(string path) { } }
            [Q4Gen.Linear4BitModel] public partial class Attention { public Attention() { } public object? Owner { get; set; } internal Model? Nearest { get { return null; } } }
            [Q4Gen.Linear4BitModel] public partial class Pair<T> where T : class { public T? Left; public Attention? Right { get; set; } }
        }

        namespace Demo.Other { public class Norm { } [Q4Gen.Linear4BitModel] public partial class Special { } }

        """;

    private const string Names = "global using Alias = Q4Gen.Linear4BitAttribute;\n";

    private static readonly string[] s_sources = [Layers, Model, Parts, Names];

    /// <summary>Edits by what they change, each visible in the generated code: file, text, other text.</summary>
    public static TheoryData<string, int, string, string> Edits() => new()
    {
        { "a constant in another file", 2, "Hidden = 64", "Hidden = 96" },
        { "a constant that a constant depends on", 2, "Hidden = 64", "Hidden = 64 + Other * 32" },
        { "an enumeration's constant", 2, "Linear4BitPrecision.Exact", "Linear4BitPrecision.Int8Activations" },
        { "a shape", 0, "Out = 32", "Out = 48" },
        { "an attribute's alias", 3, "Q4Gen.Linear4BitAttribute", "System.ObsoleteAttribute" },
        { "a child's type becomes a container", 2, "public partial class Norm { public float", "[Q4Gen.Linear4BitModel] public partial class Norm { public float" },
        { "a child's type implements the interface", 2, "public partial class Norm { public float", "public abstract class Norm : Q4Gen.ILinear4BitModel { public abstract void LoadFrom(Q4Gen.ModelLoad load, string prefix); public float" },
        { "a child's type is no container any more", 2, "[Q4Gen.Linear4BitModel] public partial class Attention", "public class Attention" },
        { "usings pick another type", 1, "using Demo.Parts;", "using Demo.Parts; using Norm = Demo.Mlp;" },
        { "a base gets Load", 2, "public void Work() { }", "public void Load(Q4Gen.IWeightSource weights, string prefix) { }" },
        { "a base becomes a model", 2, "public class Base {", "public class Base : Q4Gen.ILinear4BitModel { public virtual void LoadFrom(Q4Gen.ModelLoad load, string prefix) { }" },
        { "a base becomes a model that cannot be overridden", 2, "public class Base {", "public class Base : Q4Gen.ILinear4BitModel { public void LoadFrom(Q4Gen.ModelLoad load, string prefix) { }" },
        { "a base becomes a container", 2, "public class Base {", "[Q4Gen.Linear4BitModel] public partial class Base {" },
        { "a constructor gets a parameter", 2, "public Attention() { }", "public Attention(int heads) { }" },
        { "a constructor becomes private", 2, "public Attention() { }", "private Attention() { }" },
        { "a member becomes required", 2, "public object? Owner", "public required object? Owner" },
        { "a type becomes abstract", 2, "public partial class Attention", "public abstract partial class Attention" },
        { "a member leads back", 2, "public object? Owner { get; set; }", "public Model? Owner { get; set; }" },
        { "a member leads back through a field of its own", 2, "public object? Owner { get; set; }", "public Model? Owner { get => field; set => field = value; }" },
        { "a field leads back", 2, "public object? Owner { get; set; }", "public Model? Owner;" },
        { "a view starts to store", 2, "return null;", "return field;" },
        { "a layer of a wrong type in another file", 2, "public float[] Weights", "[Q4Gen.Linear4Bit(In = 8, Out = 8, Group = 8)] public int Up => 1; public float[] Weights" },
        { "another file's namespace", 2, "namespace Demo.Other {", "namespace Demo {" },
        { "a constraint leads to layers", 2, "where T : class", "where T : Attention" },
        { "a twin in other case", 2, "namespace Demo.Other {", "namespace Demo { public class MODEL { } } namespace Demo.Other {" },
        { "a namespace twin in other case", 2, "namespace Demo.Other {", "namespace demo { } namespace Demo.Other {" },
        { "a user's implementing part", 2, "namespace Demo.Other {", "namespace Demo { public partial class Mlp { public partial Q4Gen.Linear4Bit UpProj => null!; } } namespace Demo.Other {" },
        { "a name is taken by a field", 0, "public int Count", "private int _upProj; public int Count" },
        { "a name is taken by a method", 0, "Count(int a)", "_upProj(int a)" },
        { "a name is taken in a part in another file", 2, "namespace Demo.Other {", "namespace Demo { public partial class Mlp { class _upProj { } } } namespace Demo.Other {" },
        { "a namespace", 1, "namespace Demo;", "namespace Demo.Models;" },
        { "a type's name", 1, "partial class Model", "partial class Transformer" },
        { "not partial any more", 1, "public partial class Model", "public class Model" },
        { "an outer type is not partial any more", 1, "public partial class Model", "public class Model" },
        { "sealed", 2, "public partial class Attention", "public sealed partial class Attention" },
        { "a layer is renamed", 0, "Linear4Bit UpProj", "Linear4Bit Up" },
        { "a layer gets documentation", 0, "    [Linear4Bit(In", "    /// <summary>Up.</summary>\n    [Linear4Bit(In" },
        { "a layer's nullability", 0, "Linear4Bit?", "Linear4Bit" },
        { "an accessor", 0, "private set", "set" },
        { "a modifier", 0, "internal partial Linear4Bit?", "public partial Linear4Bit?" },
        { "a child gets a name", 1, "public Mlp First", "[WeightName(\"mlp\")] public Mlp First" },
        { "a child becomes a view", 1, "public Mlp First { get; } = new();", "public Mlp First { get { return new(); } }" },
        { "a child's nullable argument", 1, "Pair<Mlp?>?", "Pair<Mlp>?" },
        { "a child becomes an array", 1, "public Mlp First { get; } = new();", "public Mlp[] First { get; } = [];" },
        { "a child is assignable", 1, "First { get; }", "First { get; set; }" },
        { "a field becomes readonly", 1, "private Inner inner;", "private readonly Inner inner;" },
        { "a struct becomes a class", 1, "partial struct Inner", "partial class Inner" },
        { "an attribute on a struct", 1, "    public partial struct", "    [System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Auto)] public partial struct" },
        { "members change places", 1, "public Mlp First { get; } = new();\n    public Norm Norm { get; } = new();\n    public Pair<Mlp?>? Pair { get; set; }", "public Pair<Mlp?>? Pair { get; set; }\n    public Mlp First { get; } = new();" },
        { "code is left out", 1, "    public Mlp First", "#if NEVER\n#endif\n#if NEVER\n    public\n#else\n    private\n#endif\n    Linear4Bit? _own; public Mlp[]? First2; public Mlp First" },
        { "a model in a new type", 2, "namespace Demo.Other {", "namespace Demo.Other { [Q4Gen.Linear4BitModel] partial record Extra(Demo.Mlp Mlp);" },
        { "a layer class", 2, "namespace Demo.Other {", "namespace Demo.Other { [Q4Gen.Linear4Bit(In = 8, Out = 8, Group = 8)] partial class Head; partial class Outer<T> { [Q4Gen.Linear4BitModel] partial class Nested { Head? head; } }" },
    };

    [Theory]
    [MemberData(nameof(Edits))]
    public void AnEditedProgramGetsWhatAFreshOneGets(string what, int file, string text, string other)
    {
        Assert.Contains(text, s_sources[file]);
        string[] edited = [.. s_sources];
        edited[file] = s_sources[file].Replace(text, other, StringComparison.Ordinal);
        HarnessResult before = GeneratorHarness.Run(s_sources);
        HarnessResult fresh = GeneratorHarness.Run(edited);
        HarnessResult after = before.Edit(edited[file], file);
        Assert.False(Same(before, fresh), $"The edit, {what}, shows nowhere, so it tests nothing.");
        Assert.True(Same(fresh, after), $"After an edit, {what}, the generator wrote what it wrote before.");
        Assert.True(Same(before, after.Edit(s_sources[file], file)), $"After an edit, {what}, and back, the generator wrote something else.");
    }

    [Fact]
    public void EditsInAnyOrderGiveWhatAFreshProgramGets()
    {
        (int File, string Text, string Other)[] edits = [.. Edits().Select(static row => (row.Data.Item2, row.Data.Item3, row.Data.Item4))];
        Gen.Int[0, edits.Length - 1].Array[2, 6].Sample(
            order =>
            {
                string[] sources = [.. s_sources];
                HarnessResult following = GeneratorHarness.Run(sources);
                foreach (int index in order)
                {
                    (int file, string text, string other) = edits[index];
                    sources[file] = sources[file].Replace(text, other, StringComparison.Ordinal);
                    following = following.Edit(sources[file], file);
                    if (!Same(GeneratorHarness.Run(sources), following))
                    {
                        return false;
                    }
                }

                return true;
            },
            iter: 40,
            threads: 1,
            seed: "4Fr0CN3Nrix1");
    }

    /// <summary>Half-written code, with braces that are not closed yet, at each key.</summary>
    [Theory]
    [InlineData(0, "public int Count", "public Demo.Parts.Attention? Extra { get => field; set { field = value; } }\n")]
    [InlineData(1, "private Inner inner;", "[WeightName(\"x\")] private List<Mlp> more = [];\n")]
    [InlineData(2, "public class Base", "[Q4Gen.Linear4BitModel] public partial class Third { internal Demo.Mlp? Mlp; public Third(int x) { } }\n")]
    public void EveryKeyGivesWhatAFreshProgramGets(int file, string before, string typed)
    {
        int at = s_sources[file].IndexOf(before, StringComparison.Ordinal);
        string[] sources = [.. s_sources];
        HarnessResult following = GeneratorHarness.Run(sources);
        for (int length = 1; length <= typed.Length; length++)
        {
            sources[file] = s_sources[file].Insert(at, typed[..length]);
            following = following.Edit(sources[file], file);
            Assert.True(Same(GeneratorHarness.Run(sources), following), $"Different after '{typed[..length]}'.");
        }
    }

    [Fact]
    public void OtherReferencesParseEverythingAgain()
    {
        HarnessOptions options = HarnessOptions.Default;
        string[] sources = ["using Q4Gen; public partial class Mlp : Library.Base { [Linear4Bit(In = 8, Out = 8, Group = 8)] public partial Linear4Bit Up { get; } }"];
        CSharpCompilation first = GeneratorHarness.CreateCompilation(sources, options).AddReferences(Library("public class Base { }"));
        CSharpCompilation second = first.ReplaceReference(
            first.References.Last(), Library("public class Base { public void Load(Q4Gen.IWeightSource weights, string prefix) { } }"));
        HarnessResult before = GeneratorHarness.Run(first, GeneratorHarness.CreateDriver(options), options);
        HarnessResult fresh = GeneratorHarness.Run(second, GeneratorHarness.CreateDriver(options), options);
        HarnessResult after = GeneratorHarness.Run(second, before.Driver, options);
        Assert.False(Same(before, fresh));
        Assert.True(Same(fresh, after));

        static MetadataReference Library(string source) => GeneratorHarness
            .CreateCompilation([$"namespace Library; {source}"], HarnessOptions.Default with { AssemblyName = "Library" }).ToMetadataReference();
    }

    [Fact]
    public void AnotherLanguageVersionParsesEverythingAgain()
    {
        HarnessOptions old = HarnessOptions.Default with { LanguageVersion = LanguageVersion.CSharp12 };
        HarnessResult before = GeneratorHarness.Run(s_sources);
        HarnessResult fresh = GeneratorHarness.Run(s_sources, old);
        HarnessResult after = GeneratorHarness.Run(
            GeneratorHarness.CreateCompilation(s_sources, old), before.Driver.WithUpdatedParseOptions(old.ParseOptions), old);
        Assert.False(Same(before, fresh));
        Assert.True(Same(fresh, after));
    }

    /// <summary>What saves the work: an edit that declares nothing parses nothing, one in a layer's own type parses that type.</summary>
    [Theory]
    [InlineData(0, "return a + 1;", "int b = a; return b;", 0)]
    [InlineData(0, "Count(int a)", "Count(long a, int b = 3)", 1)]
    [InlineData(2, "public void Work() { }", "public void Work(int more) { } private int _times = 3;", 0)]
    [InlineData(2, "public int Size => 1;", "public int Size => 1 + 2; public int Length { get; set; } = 4;", 0)]
    [InlineData(2, "Hidden = 64", "Hidden = 32", 7)]
    public void OnlyWhatAnEditCanChangeIsParsedAgain(int file, string text, string other, int parsed)
    {
        var parser = new TypeParser();
        CSharpCompilation compilation = GeneratorHarness.CreateCompilation(s_sources, HarnessOptions.Default);
        ParsedType[] before = [.. parser.Parse(compilation, TestContext.Current.CancellationToken)];
        SyntaxTree tree = compilation.SyntaxTrees[file];
        SyntaxTree edited = GeneratorHarness.Parse(s_sources[file].Replace(text, other, StringComparison.Ordinal), tree.FilePath, HarnessOptions.Default);
        ParsedType[] after = [.. parser.Parse(compilation.ReplaceSyntaxTree(tree, edited), TestContext.Current.CancellationToken)];
        Assert.Equal(7, before.Length);
        Assert.Equal(7, after.Length);
        Assert.Equal(parsed, after.Zip(before).Count(static pair => !ReferenceEquals(pair.First, pair.Second)));
    }

    private static bool Same(HarnessResult a, HarnessResult b) => a.Files.SequenceEqual(b.Files);
}
