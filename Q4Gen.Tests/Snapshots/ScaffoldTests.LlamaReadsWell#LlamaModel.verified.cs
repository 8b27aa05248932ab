//HintName: LlamaModel.cs
// Written by 'q4gen scaffold' for model.safetensors, and yours to change.

using Q4Gen;

namespace Scaffolded;

/// <summary>The 225 linear layers of model.safetensors, which <c>Load</c> fills.</summary>
/// <remarks>
/// Other tensors, such as norms and embeddings, are read in <c>partial void OnLoad(ModelLoad load, string prefix)</c>,
/// which every class here may implement.
/// </remarks>
[Linear4BitModel]
public sealed partial class LlamaModel
{
    /// <summary>Elements of <c>model.layers</c>; 32 in the file, and <c>Load</c> makes as many as it finds.</summary>
    [WeightName("model.layers")]
    public Block[] Layers { get; set; } = null!;

    /// <summary>Hidden state to the logits of the vocabulary, 4096→32000.</summary>
    [Linear4Bit(In = 4096, Out = 32000, Group = 128)]
    public partial Linear4Bit LmHead { get; }
}

/// <summary>The linear layers of <c>model.layers.*</c>.</summary>
[Linear4BitModel]
public sealed partial class Block
{
    /// <summary>The layers of <c>self_attn</c>.</summary>
    public SelfAttention SelfAttn { get; } = new();

    /// <summary>The layers of <c>mlp</c>.</summary>
    public Mlp Mlp { get; } = new();
}

/// <summary>The linear layers of <c>model.layers.*.self_attn</c>.</summary>
public sealed partial class SelfAttention
{
    /// <summary>Hidden state to queries, 4096→4096.</summary>
    [Linear4Bit(In = 4096, Out = 4096, Group = 128)]
    public partial Linear4Bit QProj { get; }

    /// <summary>Hidden state to keys, 4096→4096.</summary>
    [Linear4Bit(In = 4096, Out = 4096, Group = 128)]
    public partial Linear4Bit KProj { get; }

    /// <summary>Hidden state to values, 4096→4096.</summary>
    [Linear4Bit(In = 4096, Out = 4096, Group = 128)]
    public partial Linear4Bit VProj { get; }

    /// <summary>What the heads saw, back into the hidden state, 4096→4096.</summary>
    [Linear4Bit(In = 4096, Out = 4096, Group = 128)]
    public partial Linear4Bit OProj { get; }
}

/// <summary>The linear layers of <c>model.layers.*.mlp</c>.</summary>
public sealed partial class Mlp
{
    /// <summary>What opens and closes the MLP, 4096→11008.</summary>
    [Linear4Bit(In = 4096, Out = 11008, Group = 128)]
    public partial Linear4Bit GateProj { get; }

    /// <summary>Hidden state to MLP, 4096→11008.</summary>
    [Linear4Bit(In = 4096, Out = 11008, Group = 128)]
    public partial Linear4Bit UpProj { get; }

    /// <summary>MLP, back into the hidden state, 11008→4096.</summary>
    [Linear4Bit(In = 11008, Out = 4096, Group = 128)]
    public partial Linear4Bit DownProj { get; }
}
