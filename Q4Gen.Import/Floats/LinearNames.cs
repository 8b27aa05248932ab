namespace Q4Gen.Import;

/// <summary>Which matrices of a model are quantised where nobody says otherwise, by their names.</summary>
public static class LinearNames
{
    private static readonly string[] s_embeddings = ["embed", "embd", "wte", "wpe", "relative_attention_bias"];

    // What quantisers leave in floats as a rule: the head costs quality, and a router's small matrix decides much.
    private static readonly string[] s_heads = ["lm_head", "embed_out", "output", "score", "classifier"];
    private static readonly string[] s_routers = ["gate", "router", "ffn_gate_inp", "shared_expert_gate"];

    /// <summary>
    /// Whether a matrix is a linear layer that is quantised by default: neither an embedding nor the model's head
    /// (<c>lm_head</c>, <c>output</c>, …) nor the router of a mixture of experts (<c>mlp.gate</c>, …).
    /// </summary>
    /// <param name="name">The name without its <c>.weight</c>, such as <c>model.layers.0.mlp.up_proj</c>.</param>
    public static bool IsUsuallyQuantized(string name)
    {
        string last = LastPart(name);
        return !IsEmbedding(name) && !s_routers.Contains(last) && (IsInBlock(name) || !s_heads.Contains(last));
    }

    /// <summary>Whether a name is that of an embedding (<c>embed_tokens</c>, <c>token_embd</c>, <c>wte</c>, <c>shared</c>, …), whose rows are looked up.</summary>
    /// <param name="name">The name without its <c>.weight</c>.</param>
    public static bool IsEmbedding(string name)
    {
        string last = LastPart(name);
        return last == "shared" || s_embeddings.Any(part => last.Contains(part, StringComparison.Ordinal));
    }

    private static string LastPart(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return name[(name.LastIndexOf('.') + 1)..];
    }

    /// <summary>Whether a part of the name is a number, as in <c>encoder.layer.0.output</c>.</summary>
    private static bool IsInBlock(string name) => name.Split('.').Any(part => part.Length != 0 && part.All(char.IsAsciiDigit));
}
