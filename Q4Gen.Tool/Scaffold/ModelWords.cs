namespace Q4Gen.Tool.Scaffold;

/// <summary>What the words in layers' names mean: their order in a model, what to call their classes, what they do.</summary>
internal static class ModelWords
{
    /// <summary>Words that only wrap a model, and say nothing about what is in it.</summary>
    private static readonly HashSet<string> s_wrappers = ["model", "transformer", "base_model", "module"];

    /// <summary>Words in the order in which data walks through a model; others come after them.</summary>
    private static readonly string[] s_order =
    [
        "model", "transformer", "bert", "roberta", "vision_model", "visual", "text_model", "language_model",
        "shared", "encoder", "decoder", "layers", "layer", "h", "blk", "blocks", "block",
        "self_attn", "self_attention", "self", "attention", "attn", "linear_attn", "cross_attn", "encoder_attn", "crossattention", "EncDecAttention", "SelfAttention",
        "qkv", "qkv_proj", "query_key_value", "c_attn", "W_pack", "attn_qkv", "in_proj_qkv",
        "q", "q_proj", "q_a_proj", "q_b_proj", "wq", "query", "q_lin", "attn_q",
        "kv_a_proj_with_mqa", "kv_b_proj",
        "k", "k_proj", "wk", "key", "k_lin", "attn_k",
        "v", "v_proj", "wv", "value", "v_lin", "attn_v",
        "o", "o_proj", "wo", "out_proj", "out_lin", "attn_output",
        "mlp", "feed_forward", "ffn", "block_sparse_moe", "moe", "DenseReluDense",
        "router", "gate", "ffn_gate_inp",
        "gate_up_proj", "gate_proj", "up_proj", "ffn_gate", "ffn_up",
        "intermediate", "w1", "w3", "wi", "wi_0", "wi_1", "fc1", "fc_in", "lin1", "c_fc", "dense_h_to_4h",
        "down_proj", "w2", "wo_ffn", "fc2", "fc_out", "lin2", "c_proj", "dense_4h_to_h", "ffn_down",
        "shared_expert", "shared_experts", "experts", "ffn_gate_exps", "ffn_up_exps", "ffn_down_exps",
        "dense", "output", "pooler", "cls", "classifier", "score", "qa_outputs", "lm_head", "embed_out", "head",
    ];

    private static readonly Dictionary<string, int> s_ranks =
        s_order.Select(static (word, index) => (word, index)).ToDictionary(static item => item.word, static item => item.index);

    /// <summary>Class names that English would not find by itself.</summary>
    private static readonly Dictionary<string, string> s_classes = new()
    {
        ["self_attn"] = "SelfAttention",
        ["self"] = "SelfAttention",
        ["attn"] = "Attention",
        ["cross_attn"] = "CrossAttention",
        ["crossattention"] = "CrossAttention",
        ["encoder_attn"] = "CrossAttention",
        ["EncDecAttention"] = "CrossAttention",
        ["ffn"] = "FeedForward",
        ["moe"] = "MixtureOfExperts",
        ["block_sparse_moe"] = "MixtureOfExperts",
    };

    /// <summary>Single elements of lists that abbreviate.</summary>
    private static readonly Dictionary<string, string> s_elements = new() { ["h"] = "block", ["blk"] = "block" };

    private static readonly Dictionary<string, string> s_longer = new() { ["attn"] = "attention", ["ffn"] = "feed_forward" };

    /// <summary>What a layer does, by its last word.</summary>
    private static readonly (string[] Words, string Meaning)[] s_meanings =
    [
        (["q_proj", "q", "wq", "query", "q_lin", "attn_q"], "Hidden state to queries"),
        (["k_proj", "k", "wk", "key", "k_lin", "attn_k"], "Hidden state to keys"),
        (["v_proj", "v", "wv", "value", "v_lin", "attn_v"], "Hidden state to values"),
        (["qkv", "qkv_proj", "query_key_value", "c_attn", "W_pack", "attn_qkv"], "Hidden state to queries, keys and values"),
        (["o_proj", "o", "wo", "out_proj", "out_lin", "attn_output"], "What the heads saw, back into the hidden state"),
        (["gate_proj", "ffn_gate"], "What opens and closes the MLP"),
        (["up_proj", "ffn_up", "c_fc", "fc1", "fc_in", "lin1", "dense_h_to_4h"], "Hidden state to MLP"),
        (["gate_up_proj"], "Hidden state to MLP, and what opens and closes it"),
        (["down_proj", "ffn_down", "fc2", "fc_out", "lin2", "dense_4h_to_h"], "MLP, back into the hidden state"),
        (["lm_head", "embed_out"], "Hidden state to the logits of the vocabulary"),
        (["ffn_gate_inp", "router"], "Hidden state to the experts' scores"),
    ];

    private static readonly Dictionary<string, string> s_meaningOf =
        s_meanings.SelectMany(static item => item.Words.Select(word => (word, item.Meaning))).ToDictionary(static item => item.word, static item => item.Meaning);

    /// <summary>The place of a word among its neighbours.</summary>
    public static int RankOf(string word) => s_ranks.GetValueOrDefault(word, s_order.Length);

    /// <summary>Whether a word only wraps a model.</summary>
    public static bool IsWrapper(string word) => s_wrappers.Contains(word);

    /// <summary>What a layer does, as far as its name tells; null where it does not.</summary>
    public static string? MeaningOf(string name)
    {
        string[] parts = name.Split('.');
        return parts is ["output"] ? s_meaningOf["lm_head"] : s_meaningOf.GetValueOrDefault(parts[^1]);
    }

    /// <summary>What to call the class of a word: <c>self_attn</c> → <c>SelfAttention</c>.</summary>
    public static string ClassOf(string word)
    {
        if (s_classes.TryGetValue(word, out string? name))
        {
            return name;
        }

        return Identifiers.Pascal(string.Join('_', word.Split('_').Select(static part => s_longer.GetValueOrDefault(part, part))));
    }

    /// <summary>One of many: <c>layers</c> → <c>layer</c>, <c>h</c> → <c>block</c>.</summary>
    public static string Singular(string word)
    {
        if (s_elements.TryGetValue(word, out string? element))
        {
            return element;
        }

        return word switch
        {
            [.., 'i', 'e', 's'] when word.Length > 4 => word[..^3] + "y",
            [.., 'x' or 'h', 'e', 's'] => word[..^2],
            [.., 's', 's' or 'e', 's'] => word[..^2],
            [.., 's' or 'u' or 'i', 's'] => word,
            [.., not '_', 's'] when word.Length > 3 => word[..^1],
            _ => word,
        };
    }

    /// <summary>Many of them: <c>layer</c> → <c>layers</c>, <c>h</c> → <c>blocks</c>.</summary>
    public static string Plural(string word)
    {
        string singular = Singular(word);
        return singular switch
        {
            _ when singular != word && !s_elements.ContainsKey(word) => word,
            [.., 's' or 'x'] or [.., 'c' or 's', 'h'] => singular + "es",
            [.., not ('a' or 'e' or 'i' or 'o' or 'u'), 'y'] => singular[..^1] + "ies",
            [.., var last] when char.IsAsciiLetter(last) => singular + "s",
            _ => singular,
        };
    }
}
