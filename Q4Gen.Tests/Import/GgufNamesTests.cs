using Q4Gen.Import.Gguf;
using Q4Gen.Tests.Runtime;

namespace Q4Gen.Tests.Import;

/// <summary>Hugging Face's names, and its order of rows.</summary>
public class GgufNamesTests
{
    private const int Heads = 4;
    private const int KeyHeads = 2;
    private const int HeadSize = 6;
    private const int Width = 32;

    private static readonly GgufImportOptions s_options = new() { HuggingFaceNames = true };

    [Theory]
    [InlineData("token_embd.weight", "model.embed_tokens.weight")]
    [InlineData("output_norm.weight", "model.norm.weight")]
    [InlineData("output.weight", "lm_head.weight")]
    [InlineData("blk.0.attn_q.weight", "model.layers.0.self_attn.q_proj.weight")]
    [InlineData("blk.12.attn_k.bias", "model.layers.12.self_attn.k_proj.bias")]
    [InlineData("blk.1.attn_v.weight", "model.layers.1.self_attn.v_proj.weight")]
    [InlineData("blk.1.attn_output.weight", "model.layers.1.self_attn.o_proj.weight")]
    [InlineData("blk.1.attn_q_norm.weight", "model.layers.1.self_attn.q_norm.weight")]
    [InlineData("blk.1.attn_norm.weight", "model.layers.1.input_layernorm.weight")]
    [InlineData("blk.1.ffn_norm.weight", "model.layers.1.post_attention_layernorm.weight")]
    [InlineData("blk.1.ffn_gate.weight", "model.layers.1.mlp.gate_proj.weight")]
    [InlineData("blk.1.ffn_up.weight", "model.layers.1.mlp.up_proj.weight")]
    [InlineData("blk.1.ffn_down.weight", "model.layers.1.mlp.down_proj.weight")]
    [InlineData("rope_freqs.weight", "rope_freqs.weight")]
    [InlineData("blk.x.ffn_down.weight", "blk.x.ffn_down.weight")]
    [InlineData("blk.1.ffn_gate_exps.weight", "blk.1.ffn_gate_exps.weight")]
    public void MapsNames(string ours, string theirs) => Assert.Equal(theirs, HuggingFaceNames.Map(ours));

    [Theory]
    [InlineData(GgufTensorType.F32)]
    [InlineData(GgufTensorType.F16)]
    [InlineData(GgufTensorType.Q4_0)]
    [InlineData(GgufTensorType.Q4_1)]
    [InlineData(GgufTensorType.Q8_0)]
    public void UndoesTheOrderOfLlamasQueriesAndKeys(GgufTensorType type)
    {
        byte[] q = Data(type, Heads, 1), k = Data(type, KeyHeads, 2), v = Data(type, KeyHeads, 3);
        byte[] Original(int heads, int seed) => Data(type, heads, seed);
        using GgufSource source = Open(new GgufBuilder()
            .Value("general.architecture", "llama").Value("llama.attention.head_count", Heads).Value("llama.attention.head_count_kv", KeyHeads)
            .Tensor("blk.0.attn_q.weight", type, [Width, Heads * HeadSize], Permute(q, Heads))
            .Tensor("blk.0.attn_k.weight", type, [Width, KeyHeads * HeadSize], Permute(k, KeyHeads))
            .Tensor("blk.0.attn_v.weight", type, [Width, KeyHeads * HeadSize], v)
            .Tensor("blk.0.attn_q.bias", GgufTensorType.F32, [Heads * HeadSize], Permute(ImportChecks.Floats(GgufTensorType.F32, [.. Enumerable.Range(0, Heads * HeadSize).Select(i => (float)i)]), Heads)));
        foreach ((string name, string theirs, int heads, int seed) in new[] { ("q", "attn_q", Heads, 1), ("k", "attn_k", KeyHeads, 2), ("v", "attn_v", KeyHeads, 3) })
        {
            // The same file without any reordering is what must come out.
            using GgufSource plain = GgufSource.FromMemory(
                new GgufBuilder().Tensor("t.weight", type, [Width, (ulong)(heads * HeadSize)], Original(heads, seed)).Build(), "plain");
            foreach (string part in plain.Names)
            {
                WeightTensor expected = plain.Get(part);
                WeightTensor found = source.Get($"model.layers.0.self_attn.{name}_proj" + part[1..]);
                Assert.Equal(expected.Shape, found.Shape);
                Assert.Equal(expected.AllBytes(), found.AllBytes());
                int most = (int)expected.ByteLength - 6;
                Assert.Equal(expected.Bytes(5, most), found.Bytes(5, most));
            }
        }

        Assert.Equal(Enumerable.Range(0, Heads * HeadSize).Select(i => (float)i), source.Get("model.layers.0.self_attn.q_proj.bias").ToSingleArray());
    }

    [Theory]
    [InlineData("qwen2")]
    [InlineData("qwen3")]
    public void LeavesTheOrderOfOthersAlone(string architecture)
    {
        byte[] q = Data(GgufTensorType.F32, Heads, 1);
        using GgufSource source = Open(new GgufBuilder().Value("general.architecture", architecture)
            .Tensor("blk.0.attn_q.weight", GgufTensorType.F32, [Width, Heads * HeadSize], q));
        Assert.Equal(q, source.Get("model.layers.0.self_attn.q_proj.weight").AllBytes());
    }

    [Fact]
    public void LeavesNamesAndOrderAloneUnlessAsked()
    {
        byte[] q = Data(GgufTensorType.F32, Heads, 1);
        using GgufSource source = GgufSource.FromMemory(
            new GgufBuilder().Value("general.architecture", "llama").Tensor("blk.0.attn_q.weight", GgufTensorType.F32, [Width, Heads * HeadSize], q).Build(), "made");
        Assert.Equal(q, source.Get("blk.0.attn_q.weight").AllBytes());
    }

    [Fact]
    public void RejectsWhatItCannotMap()
    {
        byte[] q = Data(GgufTensorType.F32, Heads, 1);
        GgufBuilder With(params (string Key, uint Value)[] values)
        {
            var builder = new GgufBuilder().Value("general.architecture", "llama");
            Array.ForEach(values, value => builder.Value(value.Key, value.Value));
            return builder.Tensor("blk.0.attn_q.weight", GgufTensorType.F32, [Width, Heads * HeadSize], q);
        }

        Assert.Contains("has the architecture 'phi9', but", ImportChecks.Rejected(() => Open(new GgufBuilder().Value("general.architecture", "phi9"))));
        Assert.Contains("has the architecture '', but", ImportChecks.Rejected(() => Open(new GgufBuilder())));
        Assert.Contains("has no metadata 'llama.attention.head_count'", ImportChecks.Rejected(() => Open(With())));
        Assert.Contains("24 rows are no 5 heads", ImportChecks.Rejected(() => Open(With(("llama.attention.head_count", 5)))));
        Assert.Contains("24 rows are no 8 heads of an even size", ImportChecks.Rejected(() => Open(With(("llama.attention.head_count", 8)))));
        Assert.Contains("24 rows are no 0 heads", ImportChecks.Rejected(() => Open(With(("llama.attention.head_count", 0)))));
        Assert.Contains("is Text, but an integer", ImportChecks.Rejected(() => Open(new GgufBuilder().Value("general.architecture", "llama")
            .Value("llama.attention.head_count", "4").Tensor("blk.0.attn_q.weight", GgufTensorType.F32, [Width, Heads * HeadSize], q))));
    }

    private static GgufSource Open(GgufBuilder builder) => GgufSource.FromMemory(builder.Build(), "made", s_options);

    private static byte[] Data(GgufTensorType type, int heads, int seed) => GgufTypes.Plain(type) is null
        ? ImportChecks.RandomBlocks(type, heads * HeadSize * Width, seed)
        : ImportChecks.Floats(type, SafetensorsTestFiles.Randoms(heads * HeadSize * Width, seed));

    /// <summary>As llama.cpp's converter: <c>reshape(heads, 2, h/2, …).swapaxes(1, 2).reshape(…)</c>, of whole rows.</summary>
    private static byte[] Permute(byte[] rows, int heads)
    {
        byte[][] all = [.. rows.Chunk(rows.Length / (heads * HeadSize))];
        var permuted = new List<byte>();
        for (int head = 0; head < heads; head++)
        {
            for (int pair = 0; pair < HeadSize / 2; pair++)
            {
                for (int half = 0; half < 2; half++)
                {
                    permuted.AddRange(all[head * HeadSize + half * (HeadSize / 2) + pair]);
                }
            }
        }

        return [.. permuted];
    }
}
