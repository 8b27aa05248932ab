using Q4Gen.Testing;

namespace Q4Gen.Tests.Generator;

/// <summary>What generated properties, layer classes and unusual containers do at run time.</summary>
public class ModelRuntimeTests
{
    private const string Source = """
        #nullable enable
        using System;
        using System.Collections.Generic;
        using Q4Gen;

        public partial class Properties
        {
            [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Plain { get; set; }
            [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit? Optional { get; set; }
            [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Given { get; init; }
        }

        [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial class Gate;
        [Linear4Bit(In = 8, Out = 16, Group = 8, Bias = true)] public partial class GateWithBias;

        public partial struct Value
        {
            [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Proj { get; }
        }

        public partial class Base
        {
            [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Lower { get; }
        }

        public partial class Derived : Base
        {
            [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Upper { get; }
        }

        public class Handwritten : ILinear4BitModel
        {
            public int Visits;
            public void LoadFrom(ModelLoad load, string prefix) => Visits++;
        }

        public partial class OnHandwritten : Handwritten
        {
            [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Upper { get; }
        }

        [Linear4BitModel]
        public partial class Generic<T> where T : ILinear4BitModel, new()
        {
            public T? Child { get; set; }
            public T[]? Children;
        }

        [Linear4BitModel] public partial class NeedsArgument { public Child C { get; set; } = null!; public class Child(int x) : ILinear4BitModel { public void LoadFrom(ModelLoad load, string prefix) => _ = x; } }
        [Linear4BitModel] public partial class GetOnly { public Base? B { get; } }
        [Linear4BitModel] public partial class Fixed { public IReadOnlyList<Base> B { get; set; } = new System.Collections.ObjectModel.ReadOnlyCollection<Base>([new(), new()]); }
        [Linear4BitModel] public partial class Covariant { public Base[] B { get; set; } = new Derived[] { new() }; }
        [Linear4BitModel] public partial class Holes { public Base?[] B { get; } = new Base?[2]; }
        [Linear4BitModel] public partial class Endless { [WeightName("e")] public Endless? E { get; set; } }
        [Linear4BitModel] public partial class Fickle { public Child C { get; } = new(); public class Child : ILinear4BitModel { private int _calls; public void LoadFrom(ModelLoad load, string prefix) { if (_calls++ > 0) { Base? b = null; load.Child(prefix, "b", ref b, () => new Base()); } } } }

        public static class Program
        {
            public static Value LoadValue(IWeightSource weights) { var value = new Value(); value.Load(weights); return value; }
            public static T Load<T>(T model, IWeightSource weights) where T : ILinear4BitModel { ModelLoad.Load(ref model, weights, ""); return model; }
            public static Gate LoadGate(IWeightSource weights) => Gate.Load(weights, "g");
            public static Gate LoadGateDirect(IReadOnlyDictionary<string, WeightTensor> tensors) => Gate.LoadDirect(tensors, "g");
            public static Gate CloneGate(Gate gate) => gate.Clone();
            public static GateWithBias Make(byte[] weights, Half[] scales, float[] bias) => new(weights, scales, bias);
            public static GateWithBias LoadWithBias(IWeightSource weights) => GateWithBias.Load(weights, "g");
            public static Properties Init(Linear4Bit layer) => new() { Given = layer };
        }
        """;

    private static readonly Lazy<LoadedProgram> s_program = new(() => GeneratorHarness.Run(Source).Load());

    [Fact]
    public void ReadingBeforeLoadingIsOneClearError()
    {
        dynamic model = New("Properties");
        Exception error = Assert.Throws<InvalidOperationException>(() => (object)model.Plain);
        Assert.Equal("Properties.Plain holds no layer yet; call Load on its model first.", error.Message);
        Assert.Null(model.Optional);
    }

    [Fact]
    public void SettersTakeLayersOfTheDeclaredFeaturesInAnyGroup()
    {
        dynamic model = New("Properties");
        using Linear4Bit layer = Layer(8, 16, group: 2);
        using Linear4Bit other = Layer(16, 8, group: 8);
        model.Plain = layer;
        model.Optional = layer;
        Assert.Same(layer, (object)model.Plain);
        model.Optional = null;
        Assert.Null(model.Optional);
        Assert.Throws<ArgumentNullException>("Properties.Plain", () => { model.Plain = null; });
        Exception error = Assert.Throws<ArgumentException>(() => { model.Plain = other; });
        Assert.Contains("Properties.Plain declares 8→16, but the layer is 16→8", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => { model.Optional = other; });
        Assert.Same(layer, (object)model.Plain);
        dynamic made = s_program.Value.Call("Program", "Init", layer)!;
        Assert.Same(layer, (object)made.Given);
        Assert.Throws<ArgumentException>(() => s_program.Value.Call("Program", "Init", other));
    }

    [Fact]
    public void LayerClassesLoadCloneAndPack()
    {
        Dictionary<string, WeightTensor> tensors = new Dictionary<string, WeightTensor>().AddLayer("g", 8, 16, scale: 3);
        using var gate = (Linear4Bit)s_program.Value.Call("Program", "LoadGate", new TensorDictionary(tensors))!;
        using var direct = (Linear4Bit)s_program.Value.Call("Program", "LoadGateDirect", tensors)!;
        using var clone = (Linear4Bit)s_program.Value.Call("Program", "CloneGate", gate)!;
        foreach (Linear4Bit layer in (Linear4Bit[])[gate, direct, clone])
        {
            Assert.Equal("Gate", layer.GetType().Name);
            Assert.Equal(new Linear4BitShape(8, 16, 8), layer.Shape);
            Assert.True(layer.Kernel.IsGenerated);
            Assert.Equal(3f, ModelSources.ScaleOf(layer));
        }

        gate.Dispose();
        Assert.Equal(3f, ModelSources.ScaleOf(clone));
        using var packed = (Linear4Bit)s_program.Value.Call("Program", "Make", new byte[64], new Half[16], new float[16])!;
        Assert.True(packed.HasBias);
        Exception error = Assert.Throws<ArgumentException>(() => s_program.Value.Call("Program", "Make", new byte[64], new Half[16], Array.Empty<float>()));
        Assert.Contains("declares Bias = true, but the bias is empty; give 16 values", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => s_program.Value.Call("Program", "Make", new byte[63], new Half[16], new float[16]));
        Assert.Throws<WeightFormatException>(() => s_program.Value.Call("Program", "LoadWithBias", new TensorDictionary(tensors)));
        Assert.Throws<ArgumentNullException>("weights", () => s_program.Value.Call("Program", "LoadGate", (object?)null));
    }

    [Fact]
    public void StructsAreFilledInPlace()
    {
        dynamic value = s_program.Value.Call("Program", "LoadValue", Weights("proj"))!;
        Assert.Equal(1f, ModelSources.ScaleOf(value.Proj));
    }

    [Fact]
    public void DerivedContainersLoadWhatTheirBasesHold()
    {
        dynamic derived = New("Derived");
        derived.Load(Weights("lower", "upper"));
        Assert.NotSame((object)derived.Lower, (object)derived.Upper);
        dynamic handwritten = New("OnHandwritten");
        handwritten.Load(Weights("upper"));
        Assert.Equal(2, handwritten.Visits);
        Assert.Equal(1f, ModelSources.ScaleOf(handwritten.Upper));
    }

    [Fact]
    public void ChildrenMayBeTypeParameters()
    {
        dynamic model = Activator.CreateInstance(s_program.Value.Type("Generic`1").MakeGenericType(s_program.Value.Type("Base")))!;
        model.Load(Weights("child.lower", "children.0.lower", "children.1.lower"));
        Assert.Equal(2, model.Children.Length);
        dynamic ofStruct = Activator.CreateInstance(s_program.Value.Type("Generic`1").MakeGenericType(s_program.Value.Type("Value")))!;
        ofStruct.Load(Weights("child.proj", "children.0.proj"));
        Assert.Equal(1f, ModelSources.ScaleOf(ofStruct.Child.Proj));
        Assert.Equal(1f, ModelSources.ScaleOf(ofStruct.Children[0].Proj));
    }

    [Theory]
    [InlineData("NeedsArgument", "'c' (Child) is null, and the load cannot create it")]
    [InlineData("GetOnly", "'b' (Base) is null, and the load cannot create it")]
    public void ChildrenThatCannotBeCreatedAreOneClearError(string type, string message)
    {
        dynamic model = New(type);
        Exception error = Assert.Throws<InvalidOperationException>(() => { model.Load(Weights("b.lower")); });
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void CollectionsWhoseElementsAreThereNeedNotBeWritable()
    {
        dynamic model = New("Fixed");
        model.Load(Weights("b.0.lower", "b.1.lower"));
        Assert.Equal(1f, ModelSources.ScaleOf(model.B[1].Lower));
        dynamic covariant = New("Covariant");
        covariant.Load(Weights("b.0.lower", "b.0.upper"));
        Assert.Equal(1f, ModelSources.ScaleOf(covariant.B[0].Lower));
        dynamic holes = New("Holes");
        holes.Load(Weights("b.0.lower", "b.1.lower"));
        Assert.Equal(1f, ModelSources.ScaleOf(holes.B[1].Lower));
    }

    [Fact]
    public void AModelThatHoldsItselfIsFoundOut()
    {
        dynamic model = New("Endless");
        Exception error = Assert.Throws<InvalidOperationException>(() => { model.Load(Weights("x")); });
        Assert.Contains("a model holds itself", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ALoadFromThatChangesItsMindIsFoundOut()
    {
        dynamic model = New("Fickle");
        Exception error = Assert.Throws<InvalidOperationException>(() => { model.Load(Weights("x")); });
        Assert.Contains("LoadFrom must visit the same members", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AssembliesThatSeeEachOthersInternalsMayHaveTheSameShapes()
    {
        const string Library = """
            using Q4Gen;
            [assembly: System.Runtime.CompilerServices.InternalsVisibleTo("HarnessProgram")]
            [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial class InLibrary;
            public partial class LibraryModel { [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Proj { get; } }
            """;
        const string Program = """
            using Q4Gen;
            /// <summary>A layer.</summary>
            [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial class InProgram;
            /// <summary>A model of another assembly's parts.</summary>
            [Linear4BitModel] public partial class Model
            {
                /// <summary>A layer.</summary>
                public InLibrary? Layer { get; set; }
                /// <summary>A child.</summary>
                public LibraryModel? Child { get; set; }
            }
            """;
        HarnessResult library = GeneratorHarness.Run(Library, HarnessOptions.Default with { AssemblyName = "Library" }).EnsureCompiles();
        HarnessResult program = GeneratorHarness.Run(Program, HarnessOptions.Hostile with { References = [library.Output.ToMetadataReference()] });
        program.EnsureCompiles();
        string model = program.File("Model.g.cs");
        Assert.Contains("load.Layer<global::InLibrary>(prefix, \"layer\"", model, StringComparison.Ordinal);
        Assert.Contains("load.Child<global::LibraryModel>(prefix, \"child\"", model, StringComparison.Ordinal);
    }

    [Fact]
    public void TypesThatDifferOnlyInCaseGetFilesOfTheirOwn()
    {
        HarnessResult result = GeneratorChecks.All("""
            using Q4Gen;
            namespace A { [Linear4Bit(In = 8, Out = 16, Group = 8)] internal partial class Gate; [Linear4Bit(In = 8, Out = 16, Group = 8)] internal partial class GATE; }
            namespace a { [Linear4Bit(In = 8, Out = 16, Group = 8)] internal partial class Gate; }
            """);
        Assert.Equal(3, result.Files.Keys.Count(name => name.Contains("Gate", StringComparison.OrdinalIgnoreCase)));
    }

    private static object New(string type) => Activator.CreateInstance(s_program.Value.Type(type))!;

    private static TensorDictionary Weights(params string[] layers)
    {
        var tensors = new Dictionary<string, WeightTensor>();
        foreach (string layer in layers)
        {
            tensors.AddLayer(layer, 8, 16);
        }

        return new TensorDictionary(tensors);
    }

    private static Linear4Bit Layer(int inFeatures, int outFeatures, int group)
    {
        var shape = new Linear4BitShape(inFeatures, outFeatures, group);
        return new Linear4Bit(inFeatures, outFeatures, group, new byte[shape.WeightBytes], new Half[shape.ScaleCount]);
    }
}
