using Q4Gen;
using Storyteller.Decoding;

namespace Storyteller;

// The whole model as annotated classes. Names are Hugging Face's: a property is its snake_case name in the weight
// file (QProj → "q_proj"), a child adds a dot, an array an index: "model.layers.0.self_attn.q_proj.weight_4bit".
// The compiler writes kernels for the five shapes below, and StoryModel.Load, which fills everything at once.

/// <summary>The linears of grouped-query attention: four heads of 32 ask, two answer.</summary>
public sealed partial class Attention
{
    /// <summary>Hidden state to queries.</summary>
    [Linear4Bit(In = 128, Out = 128, Group = 32)]
    public partial Linear4Bit QProj { get; set; }

    /// <summary>Hidden state to keys.</summary>
    [Linear4Bit(In = 128, Out = 64, Group = 32)]
    public partial Linear4Bit KProj { get; set; }

    /// <summary>Hidden state to values.</summary>
    [Linear4Bit(In = 128, Out = 64, Group = 32)]
    public partial Linear4Bit VProj { get; set; }

    /// <summary>What the heads saw, back into the hidden state.</summary>
    [Linear4Bit(In = 128, Out = 128, Group = 32)]
    public partial Linear4Bit OProj { get; set; }
}

/// <summary>The linears of a SwiGLU: <c>down(silu(gate(x)) ⊙ up(x))</c>.</summary>
public sealed partial class Mlp
{
    /// <summary>What opens and closes <see cref="UpProj"/>.</summary>
    [Linear4Bit(In = 128, Out = 384, Group = 32)]
    public partial Linear4Bit GateProj { get; set; }

    /// <summary>Hidden state to MLP.</summary>
    [Linear4Bit(In = 128, Out = 384, Group = 32)]
    public partial Linear4Bit UpProj { get; set; }

    /// <summary>MLP, back into the hidden state.</summary>
    [Linear4Bit(In = 384, Out = 128, Group = 32)]
    public partial Linear4Bit DownProj { get; set; }
}

/// <summary>A block: attention and MLP, each behind a norm.</summary>
[Linear4BitModel]
public sealed partial class Block
{
    /// <summary>Attention.</summary>
    public Attention SelfAttn { get; } = new();

    /// <summary>MLP.</summary>
    public Mlp Mlp { get; } = new();

    /// <summary>Weight of the norm before attention.</summary>
    public float[] InputNorm { get; private set; } = [];

    /// <summary>Weight of the norm before the MLP.</summary>
    public float[] PostAttentionNorm { get; private set; } = [];

    // What is no layer is read here, in the same load.
    partial void OnLoad(ModelLoad load, string prefix)
    {
        float[] input = load.ReadSingle($"{prefix}.input_layernorm.weight", StoryModel.Config.Width);
        float[] postAttention = load.ReadSingle($"{prefix}.post_attention_layernorm.weight", StoryModel.Config.Width);
        load.OnCommit(() => (InputNorm, PostAttentionNorm) = (input, postAttention));
    }
}

/// <summary>The model: 1.3 million parameters that tell short stories.</summary>
[Linear4BitModel]
public sealed partial class StoryModel : IDisposable
{
    /// <summary>Columns that share a scale in the annotations above; README.md says why 32.</summary>
    public const int DeclaredGroup = 32;

    /// <summary>The model's sizes.</summary>
    public static DecoderConfig Config { get; } = new(
        Width: 128, MlpWidth: 384, Layers: 6, Heads: 4, KeyValueHeads: 2, Vocabulary: 1024, Context: 256);

    /// <summary>The blocks.</summary>
    [WeightName("model.layers")]
    public Block[] Blocks { get; } = [.. Enumerable.Range(0, Config.Layers).Select(_ => new Block())];

    /// <summary>One row a token; the output shares it.</summary>
    public float[] Embedding { get; private set; } = [];

    /// <summary>Weight of the last norm.</summary>
    public float[] FinalNorm { get; private set; } = [];

    /// <summary>All 4-bit layers, first to last.</summary>
    public IEnumerable<Linear4Bit> Layers =>
        from block in Blocks
        from layer in (Linear4Bit[])
        [
            block.SelfAttn.QProj, block.SelfAttn.KProj, block.SelfAttn.VProj, block.SelfAttn.OProj,
            block.Mlp.GateProj, block.Mlp.UpProj, block.Mlp.DownProj,
        ]
        select layer;

    /// <summary>The model as a decoder computes with it.</summary>
    /// <param name="op">How a layer computes: <c>layer => layer.Forward</c> or <c>layer => layer.ForwardUnpack</c>.</param>
    public DecoderWeights ToDecoderWeights(Func<Linear4Bit, LinearOp> op) => new(
        Embedding,
        [.. Blocks.Select(block => new DecoderBlock
        {
            AttentionNorm = block.InputNorm,
            Query = op(block.SelfAttn.QProj),
            Key = op(block.SelfAttn.KProj),
            Value = op(block.SelfAttn.VProj),
            AttentionOutput = op(block.SelfAttn.OProj),
            MlpNorm = block.PostAttentionNorm,
            Gate = op(block.Mlp.GateProj),
            Up = op(block.Mlp.UpProj),
            Down = op(block.Mlp.DownProj),
        })],
        FinalNorm,
        new DenseLinear(Embedding, Config.Width).Forward);

    /// <summary>Frees the layers.</summary>
    public void Dispose()
    {
        foreach (Linear4Bit layer in Layers)
        {
            layer.Dispose();
        }
    }

    /// <summary>
    /// Puts layers of another group in the place of those loaded. A property takes any layer of its In and Out; the
    /// kernels for groups that no attribute names are generic ones.
    /// </summary>
    /// <param name="load">Makes the layer of a full name, such as <c>model.layers.0.self_attn.q_proj</c>.</param>
    public void ReplaceLayers(Func<string, Linear4Bit> load)
    {
        Linear4Bit[] old = [.. Layers];
        for (int i = 0; i < Blocks.Length; i++)
        {
            Attention attention = Blocks[i].SelfAttn;
            attention.QProj = load($"model.layers.{i}.self_attn.q_proj");
            attention.KProj = load($"model.layers.{i}.self_attn.k_proj");
            attention.VProj = load($"model.layers.{i}.self_attn.v_proj");
            attention.OProj = load($"model.layers.{i}.self_attn.o_proj");

            Mlp mlp = Blocks[i].Mlp;
            mlp.GateProj = load($"model.layers.{i}.mlp.gate_proj");
            mlp.UpProj = load($"model.layers.{i}.mlp.up_proj");
            mlp.DownProj = load($"model.layers.{i}.mlp.down_proj");
        }

        foreach (Linear4Bit layer in old)
        {
            layer.Dispose();
        }
    }

    partial void OnLoad(ModelLoad load, string prefix)
    {
        float[] embedding = load.ReadSingle("model.embed_tokens.weight", Config.Vocabulary, Config.Width);
        float[] finalNorm = load.ReadSingle("model.norm.weight", Config.Width);
        load.OnCommit(() => (Embedding, FinalNorm) = (embedding, finalNorm));
    }
}
