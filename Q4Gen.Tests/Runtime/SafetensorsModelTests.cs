using System.Text.Json;
using static Q4Gen.Tests.Runtime.SafetensorsTestFiles;

namespace Q4Gen.Tests.Runtime;

public class SafetensorsModelTests
{
    [Fact]
    public void OpensAFileAFolderAndAnIndex()
    {
        using var folder = new TemporaryFolder();
        WriteShards(folder);
        foreach (string path in new[] { folder.Root, folder[SafetensorsModel.IndexFileName] })
        {
            using SafetensorsModel sharded = SafetensorsModel.Open(path);
            Assert.Equal(folder[SafetensorsModel.IndexFileName], sharded.Description);
            Assert.Equal(["x.bias", "x.scales_4bit", "x.weight_4bit", "y.scales_4bit", "y.weight_4bit"], sharded.Names.Order(StringComparer.Ordinal));
            Assert.Equal("32", sharded.Metadata["group_size"]);
            Assert.Equal("12", sharded.Metadata["total_size"]);
            using Linear4Bit x = Linear4Bit.Load(sharded, "x");
            Assert.Equal((64, 48, 32), (x.In, x.Out, x.Group));
        }

        // A single file is taken first.
        SafetensorsWriter.Write(folder[SafetensorsModel.SingleFileName], Layer("z", 32, 16, 32));
        foreach (string path in new[] { folder.Root, folder[SafetensorsModel.SingleFileName] })
        {
            using SafetensorsModel single = SafetensorsModel.Open(path);
            Assert.Equal(["z.scales_4bit", "z.weight_4bit"], single.Names);
        }
    }

    [Fact]
    public void ThrowsOnceDisposed()
    {
        using var folder = new TemporaryFolder();
        WriteShards(folder);
        SafetensorsModel model = SafetensorsModel.Open(folder.Root);
        Assert.True(model.TryGet("y.weight_4bit", out WeightTensor? tensor));
        Assert.False(model.TryGet("none", out _));
        model.Dispose();
        model.Dispose();
        Assert.Throws<ObjectDisposedException>(() => model.TryGet("y.weight_4bit", out _));
        Assert.Throws<ObjectDisposedException>(() => tensor.AllBytes());
    }

    [Fact]
    public void SaysWhatAFolderWithoutAModelHas()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains("has neither model.safetensors nor model.safetensors.index.json", Rejected(folder.Root));
        SafetensorsWriter.Write(folder["other.safetensors"], Layer("z", 32, 16, 32));
        Assert.Contains("it has other.safetensors: open such a file by its own path", Rejected(folder.Root));
        Assert.Throws<FileNotFoundException>(() => SafetensorsModel.Open(folder["none.safetensors"]));
        Assert.Throws<FileNotFoundException>(() => SafetensorsModel.Open(folder["none.json"]));
        Assert.Throws<ArgumentException>(() => SafetensorsModel.Open(""));
    }

    [Fact]
    public void NamesAMissingShard()
    {
        using var folder = new TemporaryFolder();
        WriteShards(folder);
        File.Delete(folder["b.safetensors"]);
        string message = Rejected(folder.Root);
        Assert.Contains("names the shard 'b.safetensors' for tensor 'y.scales_4bit'", message);
        Assert.Contains("fetch the missing shard", message);
    }

    [Fact]
    public void NamesAMalformedShard()
    {
        using var folder = new TemporaryFolder();
        WriteShards(folder);
        File.WriteAllBytes(folder["b.safetensors"], new byte[20]);
        Assert.StartsWith(folder["b.safetensors"] + ": ", Rejected(folder.Root));

        // What was open by then is closed again.
        File.WriteAllBytes(folder["a.safetensors"], []);
        File.Delete(folder["a.safetensors"]);
    }

    [Fact]
    public void NamesATensorThatItsShardLacks()
    {
        using var folder = new TemporaryFolder();
        Dictionary<string, string> map = WriteShards(folder);
        WriteIndex(folder, new(map) { ["y.bias"] = "b.safetensors" });
        Assert.Contains("says that shard 'b.safetensors' holds tensor 'y.bias', but it does not;", Rejected(folder.Root));
        WriteIndex(folder, new(map) { ["y.weight_4bit"] = "a.safetensors" });
        Assert.Contains($"says that shard 'a.safetensors' holds tensor 'y.weight_4bit', but it does not ({folder["b.safetensors"]} has it)", Rejected(folder.Root));
    }

    [Fact]
    public void RejectsATensorThatTheIndexDoesNotList()
    {
        using var folder = new TemporaryFolder();
        Dictionary<string, string> map = WriteShards(folder);
        map.Remove("x.bias");
        WriteIndex(folder, map);
        Assert.Contains("does not list tensor 'x.bias', which shard 'a.safetensors' holds", Rejected(folder.Root));
    }

    [Fact]
    public void RejectsATensorInTwoShards()
    {
        using var folder = new TemporaryFolder();
        WriteShards(folder);
        SafetensorsWriter.Write(folder["b.safetensors"], Layer("y", 64, 16, 32).Concat(Layer("x", 64, 48, 32)));
        Assert.Contains($"tensor 'x.scales_4bit' is in two shards, {folder["a.safetensors"]} and {folder["b.safetensors"]}", Rejected(folder.Root));
    }

    [Theory]
    [InlineData("../a.safetensors")]
    [InlineData("..\\a.safetensors")]
    [InlineData("..")]
    [InlineData(".")]
    [InlineData("")]
    [InlineData("/etc/passwd")]
    [InlineData("C:\\a.safetensors")]
    [InlineData("C:a.safetensors")]
    [InlineData("\\\\host\\share")]
    [InlineData("sub/a.safetensors")]
    [InlineData("./a.safetensors")]
    [InlineData("a.safetensors\0.txt")]
    [InlineData("a\n")]
    public void RejectsShardsOutsideTheFolder(string shard)
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["inner"]);
        SafetensorsWriter.Write(folder["a.safetensors"], Layer("x", 64, 48, 32));
        string index = folder["inner/model.safetensors.index.json"];
        File.WriteAllText(index, JsonSerializer.Serialize(new { weight_map = new Dictionary<string, string> { ["x.weight_4bit"] = shard } }));
        string message = Rejected(index);
        Assert.StartsWith(index + ": weight_map puts tensor 'x.weight_4bit' into ", message);
        Assert.Contains("a plain file name beside the index", message);
    }

    [Theory]
    [InlineData("", "is not the JSON")]
    [InlineData("[]", "has no object weight_map")]
    [InlineData("{}", "has no object weight_map")]
    [InlineData("""{"weight_map":[]}""", "has no object weight_map")]
    [InlineData("""{"weight_map":{"a":1}}""", "weight_map has Number for tensor 'a'")]
    [InlineData("""{"weight_map":{"a":"s","a":"t"}}""", "is not the JSON")]
    [InlineData("""{"weight_map":{},"weight_map":{}}""", "is not the JSON")]
    [InlineData("""{"metadata":{"a":"s","a":"t"},"weight_map":{}}""", "is not the JSON")]
    [InlineData("""{"weight_map":{"a":"\ud800"}}""", "is not the JSON")]
    [InlineData("""{"weight_map":{"\ud800":"a"}}""", "is not the JSON")]
    [InlineData("""{"x":[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]],"weight_map":{}}""", "is not the JSON")]
    [InlineData("\uFEFF{\"weight_map\":{}}", "is not the JSON")]
    public void RejectsABrokenIndex(string json, string reason)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["i.json"], json);
        string message = Rejected(folder["i.json"]);
        Assert.StartsWith(folder["i.json"] + ": ", message);
        Assert.Contains(reason, message);
    }

    [Fact]
    public void RejectsAnIndexThatIsNoUtf8()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["i.json"], [.. "{\"weight_map\":{\"a"u8, 0xff, .. "\":\"s\"}}"u8]);
        Assert.Contains("is not the JSON", Rejected(folder["i.json"]));
    }

    [Fact]
    public void PutsFactsTogetherAndRejectsTwoGroupSizes()
    {
        using var folder = new TemporaryFolder();
        WriteShards(folder);
        SafetensorsWriter.Write(folder["a.safetensors"], Layer("x", 64, 48, 32, bias: true),
            new Dictionary<string, string> { ["group_size"] = "32", ["part"] = "1", ["origin"] = "here" });
        SafetensorsWriter.Write(folder["b.safetensors"], Layer("y", 64, 16, 32),
            new Dictionary<string, string> { ["group_size"] = "32", ["part"] = "2" });
        using (SafetensorsModel model = SafetensorsModel.Open(folder.Root))
        {
            Assert.Equal(["group_size", "origin", "total_size"], model.Metadata.Keys.Order(StringComparer.Ordinal));
        }

        SafetensorsWriter.Write(folder["b.safetensors"], Layer("y", 64, 16, 64), SafetensorsWriter.DescribeGroup(64));
        Assert.Contains("record different group_sizes, '32' and '64'", Rejected(folder.Root));
    }

    private static string Rejected(string path) =>
        Assert.Throws<WeightFormatException>(() => SafetensorsModel.Open(path)).Message;

    private static Dictionary<string, string> WriteShards(TemporaryFolder folder)
    {
        Dictionary<string, WeightTensor> x = Layer("x", 64, 48, 32, bias: true);
        Dictionary<string, WeightTensor> y = Layer("y", 64, 16, 32);
        SafetensorsWriter.Write(folder["a.safetensors"], x, SafetensorsWriter.DescribeGroup(32));
        SafetensorsWriter.Write(folder["b.safetensors"], y, SafetensorsWriter.DescribeGroup(32));
        var map = new Dictionary<string, string>();
        foreach (string name in x.Keys)
        {
            map[name] = "a.safetensors";
        }

        foreach (string name in y.Keys.Order(StringComparer.Ordinal))
        {
            map[name] = "b.safetensors";
        }

        WriteIndex(folder, map);
        return map;
    }

    private static void WriteIndex(TemporaryFolder folder, Dictionary<string, string> map) =>
        File.WriteAllText(
            folder[SafetensorsModel.IndexFileName],
            JsonSerializer.Serialize(new { metadata = new { total_size = 12, nested = new { ignored = 1 } }, weight_map = map }));
}
