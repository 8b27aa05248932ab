using System.Text;
using Q4Gen.Import.Gguf;
using Q4Gen.Tests.Runtime;

namespace Q4Gen.Tests.Import;

/// <summary>GGUF headers, right and wrong.</summary>
public class GgufFileTests
{
    private static readonly byte[] s_block = ImportChecks.RandomBlocks(GgufTensorType.Q4_0, 32, 1);

    [Fact]
    public void ReadsValuesOfEveryType()
    {
        using GgufFile file = GgufFile.FromMemory(new GgufBuilder { Version = 2 }
            .Value("u8", 0, [200]).Value("i8", 1, [200]).Value("u16", 2, [1, 200]).Value("i16", 3, [1, 200])
            .Value("u32", 4, [1, 2, 3, 200]).Value("i32", 5, [1, 2, 3, 200]).Value("f32", 6, BitConverter.GetBytes(1.5f)).Value("bool", 7, [1])
            .Value("text", "grün\n").Value("u64", 10, BitConverter.GetBytes(ulong.MaxValue)).Value("i64", 11, BitConverter.GetBytes(long.MinValue))
            .Value("f64", 12, BitConverter.GetBytes(Math.PI))
            .List("tokens", 8, 3, [.. GgufBuilder.Text("a"), .. GgufBuilder.Text(""), .. GgufBuilder.Text("ä")])
            .List("scores", 6, 2, [.. BitConverter.GetBytes(-1f), .. BitConverter.GetBytes(0.5f)])
            .List("types", 5, 2, [.. BitConverter.GetBytes(-1), .. BitConverter.GetBytes(6)])
            .List("nested", 9, 2, [.. GgufBuilder.ListPayload(0, 2, [1, 2]), .. GgufBuilder.ListPayload(8, 1, GgufBuilder.Text("x"))])
            .List("bytes", 8, 1, GgufBuilder.Text([0xff, 0xfe])).Build(), "made");
        IReadOnlyDictionary<string, GgufValue> values = file.Metadata;
        Assert.Equal((2, 32, 0), (file.Version, file.Alignment, file.Tensors.Count));
        Assert.Equal([200, -56, 0xC801, 0xC801 - 65536, 0xC8030201, unchecked((int)0xC8030201), long.MinValue],
            new[] { "u8", "i8", "u16", "i16", "u32", "i32", "i64" }.Select(key => values[key].ToInt64()));
        Assert.Equal([1.5, Math.PI, 200], new[] { "f32", "f64", "u8" }.Select(key => values[key].ToDouble()));
        Assert.True(values["bool"].ToBoolean());
        Assert.Equal("grün\n", values["text"].ToText());
        Assert.Equal("grün\n"u8.ToArray(), values["text"].ToBytes());
        Assert.Equal(["a", "", "ä"], values["tokens"].ToTexts());
        Assert.Equal([-1, 0.5], values["scores"].ToDoubles());
        Assert.Equal([-1L, 6], values["types"].ToInt64s());
        IReadOnlyList<GgufValue> nested = values["nested"].ToList();
        Assert.Equal([1L, 2], nested[0].ToInt64s());
        Assert.Equal(["x"], nested[1].ToTexts());
        Assert.Equal([0xff, 0xfe], values["bytes"].ToList()[0].ToBytes());
        Assert.Equal("List of 3 Text", values["tokens"].ToString());

        foreach (Action wrong in new Action[]
                 {
                     () => values["u64"].ToInt64(), () => values["f32"].ToInt64(), () => values["text"].ToDouble(), () => values["tokens"].ToText(),
                     () => values["tokens"].ToInt64s(), () => values["scores"].ToTexts(), () => values["u8"].ToBoolean(), () => values["u8"].ToList(),
                     () => values["bytes"].ToTexts(), () => values["scores"].ToInt64s(), () => values["tokens"].ToInt64(), () => values["nested"].ToDoubles(),
                 })
        {
            Assert.StartsWith("made: metadata '", Assert.Throws<WeightFormatException>(wrong).Message);
        }
    }

    [Fact]
    public void ReadsALongVocabularyAndLongTexts()
    {
        string[] words = [.. Enumerable.Range(0, 50_000).Select(i => $"word {i}")];
        string template = new('t', 300_000);
        byte[] file = new GgufBuilder()
            .List("tokenizer.ggml.tokens", 8, (ulong)words.Length, [.. words.SelectMany(GgufBuilder.Text)])
            .Value("tokenizer.chat_template", template).Tensor("a.weight", GgufTensorType.Q4_0, [32, 1], s_block).Build();
        using GgufSource source = GgufSource.FromMemory(file, "made");
        Assert.Equal(words, source.File.Metadata["tokenizer.ggml.tokens"].ToTexts());
        Assert.Equal(template, source.File.Metadata["tokenizer.chat_template"].ToText());
        Assert.DoesNotContain("tokenizer.chat_template", source.Metadata.Keys);
    }

    [Fact]
    public void PlacesTensors()
    {
        using GgufFile file = GgufFile.FromMemory(new GgufBuilder { Alignment = 64 }.Value("general.alignment", 64)
            .Tensor("scalar", GgufTensorType.F32, [], new byte[4]).Tensor("none", GgufTensorType.F16, [0], [])
            .Tensor("cube", GgufTensorType.Q4_0, [32, 2, 3], [.. Enumerable.Repeat(s_block, 6).SelectMany(b => b)]).Build(), "made");
        Assert.Equal(64, file.Alignment);
        Assert.Empty(file.Tensors[0].Shape);
        Assert.Equal(4, file.Tensors[0].ByteLength);
        Assert.Equal([3, 2, 32], file.Tensors[2].Shape);
        Assert.Equal(0, file.Tensors[2].Start % 64);
        Assert.Equal("Q4_0 [3, 2, 32]", file.Tensors[2].ToString());
    }

    [Theory]
    [InlineData(0), InlineData(3), InlineData(7), InlineData(23)]
    public void RejectsAFileThatEndsInItsStart(int bytes) =>
        Assert.Contains("the file ends inside", Rejected(new GgufBuilder().Build()[..bytes]));

    [Fact]
    public void RejectsAnyCut()
    {
        byte[] file = new GgufBuilder().Value("a", "text").List("l", 8, 2, [.. GgufBuilder.Text("x"), .. GgufBuilder.Text("y")])
            .Tensor("t.weight", GgufTensorType.Q4_0, [32, 1], s_block).Build();
        for (int length = 0; length < file.Length; length++)
        {
            Rejected(file[..length]);
        }

        GgufFile.FromMemory(file, "made").Dispose();
    }

    [Fact]
    public void RejectsEmptyFilesAndFolders()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["empty"], []);
        Assert.Contains("is empty", Assert.Throws<WeightFormatException>(() => GgufFile.Open(folder["empty"])).Message);
        Assert.Contains("is a directory", Assert.Throws<WeightFormatException>(() => GgufFile.Open(folder.Root)).Message);
        Assert.Throws<FileNotFoundException>(() => GgufFile.Open(folder["none"]));
        Assert.Throws<ArgumentException>(() => GgufFile.Open(""));
    }

    [Fact]
    public void RejectsOtherVersionsAndByteOrders()
    {
        Assert.Contains("does not start with 'GGUF'", Rejected(new GgufBuilder { Magic = "GGML" }.Build()));
        Assert.Contains("has version 1 of GGUF, but 2 and 3 are taken; convert", Rejected(new GgufBuilder { Version = 1 }.Build()));
        Assert.Contains("has version 4 of GGUF", Rejected(new GgufBuilder { Version = 4 }.Build()));
        Assert.Contains("is a big-endian GGUF file", Rejected(new GgufBuilder { Version = 0x03000000 }.Build()));
        Assert.Contains("is a big-endian GGUF file", Rejected(new GgufBuilder { Version = 0x02000000 }.Build()));
        Assert.Contains("is one of 3 parts", Rejected(new GgufBuilder().Value("split.count", 2, [3, 0]).Build()));
    }

    [Theory]
    [InlineData(ulong.MaxValue), InlineData(1UL << 63), InlineData(1UL << 60), InlineData(2UL)]
    public void RejectsLyingCounts(ulong count)
    {
        Assert.Contains("the number of tensors says", Rejected(new GgufBuilder { TensorCount = count }.Build()));
        Assert.Contains("the number of metadata values says", Rejected(new GgufBuilder { ValueCount = count }.Build()));
        Assert.Contains("the length of a list in metadata 'l' says", Rejected(new GgufBuilder().List("l", 8, count, []).Build()));
        Assert.Contains("the length of a list in metadata 'l' says", Rejected(new GgufBuilder().List("l", 12, count, []).Build()));
        Assert.Contains("metadata 't' says", Rejected(new GgufBuilder().Value("t", 8, BitConverter.GetBytes(count)).Build()));
        Assert.Contains("the key of metadata value 1 says", Rejected(
            [.. new GgufBuilder { ValueCount = 2 }.Value("a", 1).Build(), .. BitConverter.GetBytes(Math.Max(count, 6)), 0, 0, 0, 0, 0]));
    }

    [Fact]
    public void RejectsBrokenMetadata()
    {
        Assert.Contains("metadata 'a' is there twice", Rejected(new GgufBuilder().Value("a", 1).Value("a", "x").Build()));
        Assert.Contains("metadata 'a' has type 13", Rejected(new GgufBuilder().Value("a", 13, new byte[8]).Build()));
        Assert.Contains("metadata 'a' has type 4294967295", Rejected(new GgufBuilder().Value("a", uint.MaxValue, new byte[8]).Build()));
        Assert.Contains("a list in metadata 'l' has type 99", Rejected(new GgufBuilder().List("l", 99, 1, new byte[8]).Build()));
        Assert.Contains("the key of metadata value 0 is not valid UTF-8", Rejected(new GgufBuilder().Value([0xc3, 0x28], 0, [1]).Build()));
        Assert.Contains("has 70000 bytes, but at most 65535 are taken", Rejected(new GgufBuilder().Value(new byte[70_000], 0, [1]).Build()));
        Assert.Contains("'general.alignment' is 0", Rejected(new GgufBuilder().Value("general.alignment", 0).Build()));
        Assert.Contains("'general.alignment' is 48", Rejected(new GgufBuilder().Value("general.alignment", 48).Build()));
        Assert.Contains("'general.alignment' is 2147483648", Rejected(new GgufBuilder().Value("general.alignment", 1u << 31).Build()));
        Assert.Contains("'general.alignment' is Text", Rejected(new GgufBuilder().Value("general.alignment", "32").Build()));
        Assert.Contains("for a truth value", ImportChecks.Rejected(() => GgufSource.FromMemory(new GgufBuilder().Value("b", 7, [2]).Build(), "made")));
        Assert.Contains("is not valid UTF-8", ImportChecks.Rejected(() => GgufSource.FromMemory(new GgufBuilder().Value("b", 8, GgufBuilder.Text([0xff])).Build(), "made")));
    }

    [Fact]
    public void RejectsDeepNestingWithoutFollowingIt()
    {
        byte[] payload = GgufBuilder.ListPayload(0, 0, []);
        for (int i = 0; i < 100_000; i++)
        {
            if (i == 7)
            {
                GgufFile.FromMemory(new GgufBuilder().Value("l", 9, payload).Build(), "made").Dispose();
            }

            if (i == 8)
            {
                break;
            }

            payload = GgufBuilder.ListPayload(9, 1, payload);
        }

        byte[] head = GgufBuilder.ListPayload(9, 1, []);
        byte[] deep = [.. Enumerable.Repeat(head, 100_000).SelectMany(bytes => bytes), .. payload];
        Assert.Contains("more than 8 deep", Rejected(new GgufBuilder().Value("l", 9, deep).Build()));
    }

    [Theory]
    [InlineData(new ulong[] { 32, 1, 1, 1, 1 }, "has 5 dimensions, but tensors have at most 4")]
    [InlineData(new ulong[] { 33 }, "has rows of 33 elements, but Q4_0 has blocks of 32")]
    [InlineData(new ulong[] { 16, 2 }, "has rows of 16 elements")]
    [InlineData(new ulong[] { }, "has rows of 1 elements")]
    [InlineData(new[] { 32UL, ulong.MaxValue }, "overflow 64 bits")]
    [InlineData(new[] { 1UL << 32, 1UL << 32 }, "overflow 64 bits")]
    [InlineData(new[] { 1UL << 62, 4UL, 0UL }, "overflow 64 bits")]
    [InlineData(new[] { 32UL, 1UL << 50 }, "takes 20266198323167232 bytes from byte 0 of the data on, but the file has only 18")]
    [InlineData(new ulong[] { 32, 2 }, "takes 36 bytes from byte 0 of the data on, but the file has only 18")]
    public void RejectsImpossibleShapes(ulong[] sizes, string reason) =>
        Assert.Contains(reason, Rejected(new GgufBuilder().Tensor("t", GgufTensorType.Q4_0, sizes, s_block).Build()));

    [Theory]
    [InlineData(1UL, "which is no multiple of the alignment, 32")]
    [InlineData(64UL, "takes 18 bytes from byte 64 of the data on, but the file has only 50")]
    [InlineData(ulong.MaxValue - 31, "takes 18 bytes from byte 18446744073709551584")]
    [InlineData(0UL, "overlaps 't'")]
    public void RejectsOffsets(ulong offset, string reason) =>
        Assert.Contains(reason, Rejected(new GgufBuilder()
            .Tensor("t", GgufTensorType.Q4_0, [32], s_block).Tensor("u", GgufTensorType.Q4_0, [32], s_block, offset).Build()));

    [Fact]
    public void RejectsTensors()
    {
        Assert.Contains("tensor 't' is there twice", Rejected(new GgufBuilder().Tensor("t", GgufTensorType.Q4_0, [32], s_block).Tensor("t", GgufTensorType.Q4_0, [32], s_block).Build()));
        Assert.Contains("tensor 't' is Q2_K, but only F32, F16", Rejected(new GgufBuilder().Tensor("t"u8.ToArray(), 10, [32], s_block).Build()));
        Assert.Contains("tensor 't' is the unknown type 4294967295", Rejected(new GgufBuilder().Tensor("t"u8.ToArray(), uint.MaxValue, [32], s_block).Build()));
        Assert.Contains("the name of tensor 0 is not valid UTF-8", Rejected(new GgufBuilder().Tensor([0xff], 2, [32], s_block).Build()));
        Assert.Contains("two tensors that are named 't.scales_4bit'", ImportChecks.Rejected(() => GgufSource.FromMemory(new GgufBuilder()
            .Tensor("t.weight", GgufTensorType.Q4_0, [32, 1], s_block).Tensor("t.scales_4bit", GgufTensorType.F32, [1], new byte[4]).Build(), "made")));
        string forged = Rejected(new GgufBuilder().Tensor(Encoding.UTF8.GetBytes("a\nERROR\u001b" + new string('x', 5000)), 10, [32], s_block).Build());
        Assert.DoesNotContain('\n', forged);
        Assert.DoesNotContain('\u001b', forged);
    }

    private static string Rejected(byte[] file) => ImportChecks.Rejected(() => GgufFile.FromMemory(file, "made"));
}
