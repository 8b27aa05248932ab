using CsCheck;
using Q4Gen.Import;
using Q4Gen.Testing;
using Q4Gen.Tests.Kernels;
using Q4Gen.Tests.Runtime;
using Q4Gen.Tool.Console;
using Q4Gen.Tool.Scaffold;
using static Q4Gen.Tests.Tool.ScaffoldedModel;

namespace Q4Gen.Tests.Tool;

/// <summary>Classes for the layers of a file, for the namings that people have.</summary>
[Trait(Emulated.Trait, Emulated.Never)] // The compiler takes minutes there, and nothing here depends on the processor.
public class ScaffoldTests
{
    private static readonly string[] s_attention = ["q_proj", "k_proj", "v_proj", "o_proj"];
    private static readonly string[] s_mlp = ["gate_proj", "up_proj", "down_proj"];

    public static TheoryData<string> Namings() => [.. s_namings.Keys];

    private static readonly Dictionary<string, Func<IEnumerable<LinearLayer>>> s_namings = new()
    {
        ["Llama"] = static () => Llama(3),
        ["Llama without a head"] = static () => Llama(2).SkipLast(1),
        ["Qwen2, biases on queries, keys and values"] = static () => Llama(2).Select(static layer => layer with { HasBias = layer.Name[^6..] is "q_proj" or "k_proj" or "v_proj" }),
        ["one block"] = static () => Llama(1),
        ["GPT-2"] = static () => Each(2, static i =>
        [
            Layer($"transformer.h.{i}.attn.c_attn", 32, 96, bias: true), Layer($"transformer.h.{i}.attn.c_proj", 32, 32, bias: true),
            Layer($"transformer.h.{i}.mlp.c_fc", 32, 128, bias: true), Layer($"transformer.h.{i}.mlp.c_proj", 128, 32, bias: true),
        ]),
        ["BERT"] = static () => Each(2, static i =>
        [
            Layer($"bert.encoder.layer.{i}.attention.self.query", 32, 32, bias: true), Layer($"bert.encoder.layer.{i}.attention.self.key", 32, 32, bias: true),
            Layer($"bert.encoder.layer.{i}.attention.self.value", 32, 32, bias: true), Layer($"bert.encoder.layer.{i}.attention.output.dense", 32, 32, bias: true),
            Layer($"bert.encoder.layer.{i}.intermediate.dense", 32, 64, bias: true), Layer($"bert.encoder.layer.{i}.output.dense", 64, 32, bias: true),
        ]).Append(Layer("bert.pooler.dense", 32, 32, bias: true)).Append(Layer("cls.predictions.transform.dense", 32, 32, bias: true)).Append(Layer("cls.predictions.decoder", 32, 40, bias: true)),
        ["Mixtral"] = static () => Each(2, static i =>
        [
            .. Attention($"model.layers.{i}"), Layer($"model.layers.{i}.block_sparse_moe.gate", 32, 4),
            .. Each(4, e => [.. ((string[])["w1", "w2", "w3"]).Select(w => Layer($"model.layers.{i}.block_sparse_moe.experts.{e}.{w}", w == "w2" ? 64 : 32, w == "w2" ? 32 : 64))]),
        ]).Append(Layer("lm_head", 32, 40)),
        ["DeepSeek: the first block without experts"] = static () => Each(3, static i => i == 0 ? [.. Attention("model.layers.0"), .. Mlp("model.layers.0.mlp")] :
        [
            .. Attention($"model.layers.{i}"), .. Mlp($"model.layers.{i}.mlp.shared_experts"), .. Each(2, e => [.. Mlp($"model.layers.{i}.mlp.experts.{e}")]),
        ]),
        ["GGUF"] = static () => Each(2, static i =>
        [
            .. ((string[])["attn_q", "attn_k", "attn_v", "attn_output"]).Select(name => Layer($"blk.{i}.{name}", 32, 32)),
            Layer($"blk.{i}.ffn_gate", 32, 64), Layer($"blk.{i}.ffn_up", 32, 64), Layer($"blk.{i}.ffn_down", 64, 32, affine: true),
        ]).Append(Layer("output", 32, 40)),
        ["T5"] = static () => ((string[])["encoder", "decoder"]).SelectMany(static side => Each(2, i =>
        [
            .. ((string[])["q", "k", "v", "o"]).Select(name => Layer($"{side}.block.{i}.layer.0.SelfAttention.{name}", 32, 32)),
            .. ((string[])["q", "k", "v", "o"]).Where(_ => side == "decoder").Select(name => Layer($"{side}.block.{i}.layer.1.EncDecAttention.{name}", 32, 32)),
            Layer($"{side}.block.{i}.layer.{(side == "encoder" ? 1 : 2)}.DenseReluDense.wi", 32, 64), Layer($"{side}.block.{i}.layer.{(side == "encoder" ? 1 : 2)}.DenseReluDense.wo", 64, 32),
        ])),
        ["a vision tower beside"] = static () => Llama(2).Concat(Each(2, static i => [Layer($"visual.blocks.{i}.attn.qkv", 32, 96, bias: true), Layer($"visual.blocks.{i}.attn.proj", 32, 32, bias: true)]))
            .Append(Layer("visual.merger.mlp.0", 32, 32, bias: true)).Append(Layer("visual.merger.mlp.2", 32, 32, bias: true)),
        ["a pruned block"] = static () => Llama(3).Select(static layer => layer.Name.Contains("s.1.mlp", StringComparison.Ordinal)
            ? layer with { Shape = layer.Name.EndsWith("down_proj", StringComparison.Ordinal) ? new(48, 32, 16) : new(32, 48, 16) } : layer),
        ["a block missing"] = static () => Llama(4).Where(static layer => !layer.Name.Contains("s.2.", StringComparison.Ordinal)),
        ["layers as elements"] = static () => [Layer("heads.0", 32, 16), Layer("heads.1", 32, 16), Layer("mixed.0", 32, 16), Layer("mixed.1", 32, 24)],
        ["numbers at the top"] = static () => [Layer("0", 32, 32), Layer("1", 32, 32), Layer("2", 32, 32)],
        ["numbers beside words"] = static () => [Layer("a.0.x", 32, 32), Layer("a.1.x", 32, 32), Layer("a.b", 32, 32), Layer("a.c", 32, 32)],
        ["lists of lists"] = static () => Each(2, static i => [.. Each(3, j => [Layer($"grid.{i}.{j}", 32, 16)])]),
        ["a layer with layers below"] = static () => [Layer("q", 32, 32), Layer("q.lora_A", 32, 8), Layer("q.lora_B", 8, 32), Layer("q.0", 32, 32), Layer("v", 32, 32)],
        ["no name"] = static () => [Layer("", 32, 32)],
        ["names that C# has for itself"] = static () =>
        [
            .. ((string[])["class", "event", "load", "Load", "clone", "to_string", "equals", "get_type", "model", "Model", "linear4_bit", "on_load", "load_from", "finalize", "value", "field", "record"])
                .Select(name => Layer(name, 32, 16)),
        ],
        ["names that are no names"] = static () =>
        [
            .. ((string[])["3d", "q-proj", "q proj", "q_proj", "QProj", "a\"b\\c", "<x>&y", "line\nend", "模型.层", "é", "🦙", "-", "..", "a..b", ".a", "b.", "_", "x.00", "x.0", "y.1.5"])
                .Select(name => Layer(name, 32, 16)),
        ],
        ["classes of one name"] = static () => [.. Mlp("a.mlp"), .. Mlp("b.mlp"), Layer("b.mlp.extra", 32, 32), Layer("a.a.a", 32, 32), Layer("a.a.b", 32, 32), Layer("b.x", 32, 32), .. Mlp("linear4_bit"), .. Mlp("model_load"), .. Mlp("load")],
        ["a group beyond the row"] = static () => [Layer("q_proj", 32, 32, group: 128), Layer("k_proj", 48, 32, group: 32)],
    };

    [Theory]
    [MemberData(nameof(Namings))]
    public async Task EveryLayerIsLoadedByItsName(string naming)
    {
        using var folder = new TemporaryFolder();
        LinearLayer[] layers = [.. s_namings[naming]()];
        string text = await CheckAsync(layers, TestContext.Current.CancellationToken, naming.StartsWith("names that are no", StringComparison.Ordinal) ? null : folder["model.safetensors"]);
        Assert.Equal(text, Write([.. layers.Reverse()]));
    }

    [Fact]
    public void LlamaReadsWell() => Snapshots.Verify(
        [KeyValuePair.Create("LlamaModel.cs", Write([.. Llama(32, 4096, 11008, 128)], "LlamaModel"))], "../Snapshots", null, nameof(LlamaReadsWell), SourceFile());

    [Fact]
    public void AnElementWithoutLayersIsCountedByALoadAndSoByUs() =>
        Assert.Contains("[WeightName(\"layers.0\")]", Write([Layer("layers.0.q", 32, 32), Layer("layers.0.k", 32, 32)], "Model", "layers.1.norm.weight"), StringComparison.Ordinal);

    [Fact]
    public async Task AnElementWithoutLayersLoads() => await CheckAsync(
        [Layer("layers.0.q", 32, 32), Layer("layers.0.k", 32, 32), Layer("seq.0", 32, 32)], TestContext.Current.CancellationToken, null, "layers.1.norm.weight", "seq.1.weight");

    [Fact]
    public void WhatIsAlikeIsWrittenOnce()
    {
        string text = Write([.. s_namings["a pruned block"]()]);
        Assert.Equal(1, Count(text, "class SelfAttention"));
        Assert.Equal(1, Count(text, "class Block0\n"));
        Assert.Equal(1, Count(text, "class Block1\n"));
        Assert.Equal(1, Count(text, "class Block1Mlp\n"));
        Assert.Contains("public Block1 Layer1 { get; } = new();", text, StringComparison.Ordinal);
        Assert.Contains("public Block0 Layer2 { get; } = new();", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("My-App", "Model", "--namespace 'My-App' is no C# namespace")]
    [InlineData("My..App", "Model", "is no C# namespace")]
    [InlineData("App.Linear4Bit", "Model", "would hide the type Q4Gen.Linear4Bit")]
    [InlineData("App", "3Model", "--class '3Model' is no C# class name")]
    [InlineData("App", "Linear4Bit", "a name that the classes use themselves")]
    [InlineData("App", "Load", "a name that the classes use themselves")]
    public void NamesThatCannotBeAreUsageErrors(string space, string name, string message) => Assert.Contains(
        message, Assert.Throws<UsageException>(() => ModelScaffold.Write([Layer("q", 32, 32)], new ScaffoldOptions(space, name, "f", []))).Message, StringComparison.Ordinal);

    [Fact]
    public void KeywordsAreNamesToo()
    {
        string text = ModelScaffold.Write([Layer("q", 32, 32)], new ScaffoldOptions("App.event", "class", "f", []));
        Assert.Contains("namespace App.@event;", text, StringComparison.Ordinal);
        Assert.Contains("partial class @class", text, StringComparison.Ordinal);
        GeneratorHarness.Run(text, HarnessOptions.Hostile).EnsureCompiles();
    }

    [Fact]
    public void LayersThatNoClassCanHoldAreErrorsThatNameThem()
    {
        AssertError([], "model.safetensors: there are no linear layers in it");
        AssertError([Layer("q", 33, 32)], "layer 'q' is 33→32 g32, but input features must be positive and even");
        AssertError([Layer("q", 1 << 17, 1 << 17)], "split it into layers of fewer output features");
        AssertError([Layer("q", 32, 32), Layer("q", 32, 32)], "two layers are called 'q'");
        AssertError([Layer(string.Join('.', Enumerable.Repeat("a", 100)), 32, 32)], "has 100 parts between dots");

        static void AssertError(LinearLayer[] layers, string message) =>
            Assert.Contains(message, Assert.Throws<WeightFormatException>(() => Write(layers)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AnyTreeOfNamesCompilesAndLoads()
    {
        Gen<string> part = Gen.OneOf<string>(
            Gen.OneOf("layers", "h", "mlp", "self_attn", "q_proj", "experts", "Model", "model", "a", "A", "a_b", "load", "0", "1"),
            Gen.Int[0, 3].Select(static number => FormattableString.Invariant($"{number}")),
            Gen.String[1, 4]);
        Gen<LinearLayer> layer =
            from parts in part.Array[1, 5]
            from isWide in Gen.Bool
            from hasBias in Gen.Bool
            select Layer(string.Join('.', parts), isWide ? 16 : 8, 4, 8, hasBias);
        Gen<LinearLayer[]> tree = layer.Array[1, 8].Select(static layers => layers.DistinctBy(static item => item.Name).ToArray());
        Gen<LinearLayer[]> regular =
            from counts in Gen.Int[1, 3].Array[2]
            from tails in part.Array[1, 3]
            select Each(counts[0], i => [.. Each(counts[1], j => [.. tails.Distinct().Select(tail => Layer($"layers.{i}.x.{j}.{tail}", 8, 4, 8))])])
                .Append(Layer("lm_head", 8, 4, 8)).ToArray();
        Gen.Frequency((3, tree), (1, regular)).Array[40].Sample(
            trees => CheckAllAsync(trees, TestContext.Current.CancellationToken).GetAwaiter().GetResult(), seed: "0000KOIPe5R5", iter: 2, threads: 1);
    }

    internal static IEnumerable<LinearLayer> Llama(int blocks, int hidden = 32, int intermediate = 64, int group = 32) => Each(blocks, i =>
    [
        .. Attention($"model.layers.{i}", hidden, group), .. Mlp($"model.layers.{i}.mlp", hidden, intermediate, group),
    ]).Append(Layer("lm_head", hidden, hidden == 32 ? 40 : 32000, group));

    private static IEnumerable<LinearLayer> Attention(string block, int hidden = 32, int group = 32) =>
        s_attention.Select(name => Layer($"{block}.self_attn.{name}", hidden, hidden, group));

    private static IEnumerable<LinearLayer> Mlp(string mlp, int hidden = 32, int intermediate = 64, int group = 32) =>
        s_mlp.Select(name => name == "down_proj" ? Layer($"{mlp}.{name}", intermediate, hidden, group) : Layer($"{mlp}.{name}", hidden, intermediate, group));

    private static IEnumerable<LinearLayer> Each(int count, Func<int, LinearLayer[]> layers) => Enumerable.Range(0, count).SelectMany(layers);

    private static int Count(string text, string part) => text.Split(part).Length - 1;

    private static string SourceFile([System.Runtime.CompilerServices.CallerFilePath] string path = "") => path;
}
