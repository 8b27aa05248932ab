using Q4Gen.Import.Gguf;

namespace Q4Gen.Tests.Import;

public class GgufFuzzTests
{
    [Fact]
    public void SpoiledFilesAreReadOrRejected()
    {
        byte[][] files = [Small(GgufTensorType.Q4_0, GgufTensorType.Q4_1), Small(GgufTensorType.Q4_K, GgufTensorType.Q6_K), Small(GgufTensorType.Q8_0, GgufTensorType.F16), Bare()];
        var options = new GgufImportOptions { HuggingFaceNames = true, QuantizeFloats = true };
        SpoiledBytes.Check(files, 12_000, 20_260_303, file => GgufSource.FromMemory(file, "fuzzed", options));
    }

    [Fact]
    public void ValuesOfSpoiledFilesAreReadOrRejected()
    {
        byte[] file = Small(GgufTensorType.Q4_0, GgufTensorType.F32);
        SpoiledBytes.Check([file], 10_000, 20_260_404, bytes =>
        {
            GgufSource source = GgufSource.FromMemory(bytes, "fuzzed");
            foreach (GgufValue value in source.File.Metadata.Values)
            {
                _ = value.ToString();
                _ = value.Type switch
                {
                    GgufValueType.Text => value.ToBytes().Length,
                    GgufValueType.Bool => value.ToBoolean() ? 1 : 0,
                    GgufValueType.List => value.ElementType switch
                    {
                        GgufValueType.Text => value.ToTexts().Count,
                        GgufValueType.List or GgufValueType.Bool => value.ToList().Count,
                        _ => value.ToDoubles().Length,
                    },
                    _ => value.ToDouble(),
                };
            }

            return source;
        });
    }

    private static byte[] Small(GgufTensorType first, GgufTensorType second) => new GgufBuilder()
        .Value("general.architecture", "llama").Value("llama.attention.head_count", 1).Value("general.alignment", 32)
        .List("tokens", 8, 2, [.. GgufBuilder.Text("a"), .. GgufBuilder.Text("b")]).Value("flag", 7, [1])
        .List("nested", 9, 1, GgufBuilder.ListPayload(4, 1, [1, 0, 0, 0])).List("scores", 6, 2, new byte[8])
        .Tensor("blk.0.attn_q.weight", first, [256, 2], Blocks(first))
        .Tensor("token_embd.weight", second, [256, 2], Blocks(second))
        .Tensor("blk.0.ffn_up.weight", second, [256, 2], Blocks(second)).Build();

    private static byte[] Bare() => new GgufBuilder().Value("general.architecture", "qwen2")
        .Tensor("blk.0.attn_q.weight", GgufTensorType.Q5_0, [32, 1], Blocks(GgufTensorType.Q5_0, 32)).Build();

    private static byte[] Blocks(GgufTensorType type, int elements = 512) => GgufTypes.Plain(type) is null
        ? ImportChecks.RandomBlocks(type, elements, 1)
        : ImportChecks.Floats(type, new float[elements]);
}
