using Q4Gen.Testing;

namespace Q4Gen.Tests.Generator;

/// <summary>Generated loads: whole trees, in one call, all or nothing.</summary>
public class ModelLoadTests
{
    private const string Transformer = """
        #nullable enable
        using System.Collections.Generic;
        using Q4Gen;

        public partial class Attention
        {
            [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit QProj { get; }
            [Linear4Bit(In = 8, Out = 16, Group = 8, Bias = true)] public partial Linear4Bit? KProj { get; private set; }
        }

        [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial class Gate;

        public partial struct Adapter
        {
            [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Lora { get; set; }
        }

        [Linear4BitModel]
        public partial class Block
        {
            public Attention SelfAttn { get; } = new();
            public Gate? Gate { get; private set; }
            public Gate[]? Experts;
            public Adapter AsField;
            public Adapter AsProperty { get; set; }
            public Adapter[] AsArray = new Adapter[2];
            public Block? Next { get; set; }
            public Model? Parent { get; set; }
            public float[] Norm = [];

            partial void OnLoad(ModelLoad load, string prefix)
            {
                float[] norm = load.ReadSingle(ModelLoad.Join(prefix, "norm.weight"), 3);
                load.OnCommit(() => Norm = norm);
            }
        }

        [Linear4BitModel]
        public partial class Model
        {
            [WeightName("model.layers")] public Block[]? Layers { get; set; }
            [WeightName("heads")] private readonly List<Attention> _heads = [new(), new()];
            public List<Attention>? Created { get; set; }
            public IReadOnlyList<Attention>? ReadOnly { get; set; }
            public static Attention? Ignored;
            public Attention First => _heads[0];
            public IReadOnlyList<Attention> Heads => _heads;
        }

        public static class Program
        {
            public static Model New() => new();
            public static Model Run(IWeightSource weights) { var model = new Model(); model.Load(weights, "root"); return model; }
            public static void Again(Model model, IWeightSource weights) => model.Load(weights, prefix: "root");
        }
        """;

    private static readonly Lazy<LoadedProgram> s_program = new(() => GeneratorHarness.Run(Transformer).Load());

    [Fact]
    public void OneCallFillsEveryKindOfChild()
    {
        dynamic model = s_program.Value.RunOn(Tensors())!;
        Assert.Equal(2, model.Layers.Length);
        for (int i = 0; i < 2; i++)
        {
            Assert.Equal(i + 1f, ModelSources.ScaleOf(model.Layers[i].SelfAttn.QProj));
            Assert.True(model.Layers[i].SelfAttn.KProj.HasBias);
            Assert.Equal(i + 11f, ModelSources.ScaleOf(model.Layers[i].Gate));
            Assert.Equal(3, model.Layers[i].Experts.Length);
            Assert.Equal(i + 21f, ModelSources.ScaleOf(model.Layers[i].Experts[1]));
            Assert.Equal(i + 31f, ModelSources.ScaleOf(model.Layers[i].AsField.Lora));
            Assert.Equal(i + 41f, ModelSources.ScaleOf(model.Layers[i].AsProperty.Lora));
            Assert.Equal(i + 51f, ModelSources.ScaleOf(model.Layers[i].AsArray[0].Lora));
            Assert.Equal(i + 52f, ModelSources.ScaleOf(model.Layers[i].AsArray[1].Lora));
            Assert.Equal(new[] { 1f, 2f, 3f }, (float[])model.Layers[i].Norm);
            Assert.Null(model.Layers[i].Next);
            Assert.Null(model.Layers[i].Parent);
        }

        Assert.Equal(61f, ModelSources.ScaleOf(model.First.QProj));
        Assert.Equal(1, model.Created.Count);
        Assert.Equal(71f, ModelSources.ScaleOf(model.Created[0].QProj));
        Assert.Equal(2, ((System.Collections.ICollection)model.ReadOnly).Count);
        Assert.Equal(81f, ModelSources.ScaleOf(model.ReadOnly[0].QProj));
        Linear4Bit layer = model.First.QProj;
        Assert.True(layer.Kernel.IsGenerated);
    }

    [Fact]
    public void EveryMissingTensorLeavesANewModelEmptyAndALoadedOneAsItWas()
    {
        Dictionary<string, WeightTensor> all = Tensors();
        dynamic loaded = s_program.Value.RunOn(all)!;
        Linear4Bit before = loaded.Layers[0].SelfAttn.QProj;
        object layers = loaded.Layers;
        foreach (string name in all.Keys)
        {
            Dictionary<string, WeightTensor> broken = new(all);
            broken.Remove(name);
            var source = new TensorDictionary(broken, "the broken file");
            dynamic model = s_program.Value.Call("Program", "New")!;
            Exception error = Assert.Throws<WeightFormatException>(() => s_program.Value.Call("Program", "Again", (object)model, source));
            Assert.Contains("the broken file", error.Message, StringComparison.Ordinal);
            Assert.Null(model.Layers);
            Assert.Null(model.Created);
            Assert.Throws<InvalidOperationException>(() => (object)model.First.QProj);

            Assert.Throws<WeightFormatException>(() => s_program.Value.Call("Program", "Again", (object)loaded, source));
            Assert.Same(layers, (object)loaded.Layers);
            Assert.Same(before, (object)loaded.Layers[0].SelfAttn.QProj);
            Assert.Equal(1f, ModelSources.ScaleOf(before));
        }
    }

    [Fact]
    public void LoadingAgainReplacesAndDisposes()
    {
        dynamic model = s_program.Value.RunOn(Tensors())!;
        Linear4Bit old = model.Layers[0].SelfAttn.QProj;
        Linear4Bit oldGate = model.Layers[0].Gate;
        object block = model.Layers[0];
        s_program.Value.Call("Program", "Again", (object)model, new TensorDictionary(Tensors(100)));
        Assert.Same(block, (object)model.Layers[0]);
        Assert.Equal(101f, ModelSources.ScaleOf(model.Layers[0].SelfAttn.QProj));
        Assert.Throws<ObjectDisposedException>(() => ModelSources.ScaleOf(old));
        Assert.Throws<ObjectDisposedException>(() => ModelSources.ScaleOf(oldGate));
    }

    [Fact]
    public void MoreElementsThanACollectionHoldsAreAnErrorThatCountsThem()
    {
        Dictionary<string, WeightTensor> tensors = Tensors();
        AddAttention(tensors, "root.heads.2", 1);
        Exception error = Assert.Throws<WeightFormatException>(() => s_program.Value.RunOn(tensors));
        Assert.Contains("it has 3 elements under 'root.heads', up to 'root.heads.2', but the model's collection has 2", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AGapInTheNumbersIsAnErrorThatNamesIt()
    {
        Dictionary<string, WeightTensor> tensors = Tensors();
        AddAttention(tensors, "root.created.2", 1);
        Exception error = Assert.Throws<WeightFormatException>(() => s_program.Value.RunOn(tensors));
        Assert.Contains("none under 'root.created.1'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void NoElementsForACollectionThatIsToBeCreatedAreAnError()
    {
        var tensors = Tensors().Where(item => !item.Key.StartsWith("root.created", StringComparison.Ordinal)).ToDictionary();
        Exception error = Assert.Throws<WeightFormatException>(() => s_program.Value.RunOn(tensors));
        Assert.Contains("no tensors under 'root.created.0'", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(4, "is F32 [4]; expected shape [3]")]
    [InlineData(0, "has no tensor 'root.model.layers.1.norm.weight'; the nearest")]
    [InlineData(-1, "is U8 [3]; expected F32, F16 or BF16 values of shape [3]")]
    public void OtherTensorsAreCheckedToo(int length, string message)
    {
        Dictionary<string, WeightTensor> tensors = Tensors();
        tensors.Remove("root.model.layers.1.norm.weight");
        if (length != 0)
        {
            tensors.Add("root.model.layers.1.norm.weight", length > 0 ? WeightTensor.FromSingle(new float[length], length) : WeightTensor.FromByte(new byte[3], 3));
        }

        Exception error = Assert.Throws<WeightFormatException>(() => s_program.Value.RunOn(tensors));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    private static Dictionary<string, WeightTensor> Tensors(float add = 0)
    {
        var tensors = new Dictionary<string, WeightTensor>();
        for (int i = 0; i < 2; i++)
        {
            string block = $"root.model.layers.{i}";
            AddAttention(tensors, $"{block}.self_attn", add + i + 1);
            tensors.AddLayer($"{block}.gate", 8, 16, scale: add + i + 11);
            for (int e = 0; e < 3; e++)
            {
                tensors.AddLayer($"{block}.experts.{e}", 8, 16, scale: add + i + 20 + e);
            }

            tensors.AddLayer($"{block}.as_field.lora", 8, 16, scale: add + i + 31);
            tensors.AddLayer($"{block}.as_property.lora", 8, 16, scale: add + i + 41);
            tensors.AddLayer($"{block}.as_array.0.lora", 8, 16, scale: add + i + 51);
            tensors.AddLayer($"{block}.as_array.1.lora", 8, 16, scale: add + i + 52);
            tensors.Add($"{block}.norm.weight", WeightTensor.FromSingle([1, 2, 3], 3));
        }

        AddAttention(tensors, "root.heads.0", add + 61);
        AddAttention(tensors, "root.heads.1", add + 62);
        AddAttention(tensors, "root.created.0", add + 71);
        AddAttention(tensors, "root.read_only.0", add + 81);
        AddAttention(tensors, "root.read_only.1", add + 82);
        return tensors;
    }

    private static void AddAttention(Dictionary<string, WeightTensor> tensors, string prefix, float scale) =>
        tensors.AddLayer($"{prefix}.q_proj", 8, 16, scale: scale).AddLayer($"{prefix}.k_proj", 8, 16, scale: scale, bias: true);
}
