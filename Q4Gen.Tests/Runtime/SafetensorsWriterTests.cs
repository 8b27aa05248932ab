using System.Buffers.Binary;
using CsCheck;
using static Q4Gen.Tests.Runtime.SafetensorsTestFiles;

namespace Q4Gen.Tests.Runtime;

public class SafetensorsWriterTests
{
    private static readonly Gen<WeightTensor> s_tensors =
        from type in Gen.Int[0, Enum.GetValues<TensorType>().Length - 1].Select(i => Enum.GetValues<TensorType>()[i])
        from shape in Gen.Long[0, 5].Array[0, 4]
        from seed in Gen.Int
        select RandomTensor(type, shape, seed);

    [Fact]
    public void WhatIsWrittenIsRead()
    {
        using var folder = new TemporaryFolder();
        Gen.Select(Gen.Dictionary(Gen.String[0, 12].Where(IsText), s_tensors)[0, 8], Gen.Dictionary(Gen.String.Where(IsText), Gen.String.Where(IsText))[0, 4])
            .Sample((tensors, metadata) =>
            {
                SafetensorsWriter.Write(folder["t"], tensors, metadata);
                byte[] bytes = File.ReadAllBytes(folder["t"]);
                Assert.Equal(0L, BinaryPrimitives.ReadInt64LittleEndian(bytes) % 8);
                foreach (SafetensorsFile file in new[] { SafetensorsFile.Open(folder["t"]), SafetensorsFile.FromMemory(bytes, "bytes") })
                {
                    using (file)
                    {
                        Assert.Equal(tensors.Keys.Order(StringComparer.Ordinal), file.Names);
                        Assert.Equal(metadata.OrderBy(fact => fact.Key, StringComparer.Ordinal), file.Metadata.OrderBy(fact => fact.Key, StringComparer.Ordinal));
                        foreach ((string name, WeightTensor expected) in tensors)
                        {
                            Assert.True(file.TryGet(name, out WeightTensor? tensor));
                            Assert.Equal(expected.Type, tensor.Type);
                            Assert.Equal(expected.Shape, tensor.Shape);
                            Assert.Equal(expected.AllBytes(), tensor.AllBytes());
                        }
                    }
                }
            }, seed: "0000KOIPe5R5", iter: 200, threads: 1);
    }

    [Fact]
    public void TheSameTensorsGiveTheSameBytes()
    {
        using var folder = new TemporaryFolder();
        Dictionary<string, WeightTensor> tensors = Layer("p", 64, 48, 32, bias: true);
        SafetensorsWriter.Write(folder["a"], tensors, new Dictionary<string, string> { ["a"] = "1", ["b"] = "2" });
        SafetensorsWriter.Write(folder["b"], tensors.Reverse(), new Dictionary<string, string> { ["b"] = "2", ["a"] = "1" });
        Assert.Equal(File.ReadAllBytes(folder["a"]), File.ReadAllBytes(folder["b"]));
        Assert.Equal([folder["a"], folder["b"]], Directory.GetFiles(folder.Root).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void RecordsTheGroupSoThatNoReaderGuesses()
    {
        using var folder = new TemporaryFolder();
        SafetensorsWriter.Write(folder["t"], Layer("p", 288, 16, 128), SafetensorsWriter.DescribeGroup(128));
        using SafetensorsFile file = SafetensorsFile.Open(folder["t"]);
        Assert.Equal("128", file.Metadata["group_size"]);
        using Linear4Bit layer = Linear4Bit.Load(file, "p");
        Assert.Equal(128, layer.Group);
        Assert.Throws<ArgumentOutOfRangeException>(() => SafetensorsWriter.DescribeGroup(0));
    }

    [Fact]
    public void ASourceIsWrittenWithItsMetadata()
    {
        using var folder = new TemporaryFolder();
        var source = new TensorDictionary(Layer("p", 288, 16, 128), metadata: SafetensorsWriter.DescribeGroup(128));
        SafetensorsWriter.Write(folder["a"], source);
        using (SafetensorsFile file = SafetensorsFile.Open(folder["a"]))
        {
            Assert.Equal(source.Names.Order(), file.Names.Order());
            Assert.Equal("128", file.Metadata["group_size"]);
            SafetensorsWriter.Write(folder["b"], file);
        }

        Assert.Equal(File.ReadAllBytes(folder["a"]), File.ReadAllBytes(folder["b"]));
        var holey = new TensorDictionary(new Dictionary<string, WeightTensor> { ["gone"] = null! });
        Assert.Contains("'gone'", Assert.Throws<ArgumentException>(() => SafetensorsWriter.Write(folder["c"], holey)).Message, StringComparison.Ordinal);
        Assert.False(File.Exists(folder["c"]));
    }

    [Fact]
    public void AFailureLeavesTheOldFileAndNothingElse()
    {
        using var folder = new TemporaryFolder();
        SafetensorsWriter.Write(folder["t"], Layer("p", 64, 48, 32));
        byte[] old = File.ReadAllBytes(folder["t"]);

        // The second tensor fails when the first is written.
        SafetensorsFile gone = SafetensorsFile.FromMemory(Craft("""{"z":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", 4), "gone");
        Assert.True(gone.TryGet("z", out WeightTensor? tensor));
        gone.Dispose();
        Assert.Throws<ObjectDisposedException>(() => SafetensorsWriter.Write(folder["t"], Layer("a", 64, 48, 32).Append(new("z", tensor))));

        Assert.Equal(old, File.ReadAllBytes(folder["t"]));
        Assert.Equal([folder["t"]], Directory.GetFiles(folder.Root));
        Assert.Throws<DirectoryNotFoundException>(() => SafetensorsWriter.Write(folder["none/t"], Layer("p", 64, 48, 32)));
    }

    [Fact]
    public void ReplacesTheFileThatItReadsFrom()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows keeps a mapped file from being replaced.");
        using var folder = new TemporaryFolder();
        Dictionary<string, WeightTensor> tensors = Layer("p", 64, 48, 32);
        SafetensorsWriter.Write(folder["t"], tensors);
        using (SafetensorsFile file = SafetensorsFile.Open(folder["t"]))
        {
            Assert.True(file.TryGet("p.weight_4bit", out WeightTensor? tensor));
            SafetensorsWriter.Write(folder["t"], [new("only", tensor)]);
        }

        using SafetensorsFile written = SafetensorsFile.Open(folder["t"]);
        Assert.True(written.TryGet("only", out WeightTensor? only));
        Assert.Equal(tensors["p.weight_4bit"].AllBytes(), only.AllBytes());
    }

    [Fact]
    public void WritesTensorsLargerThanItsChunks()
    {
        using var folder = new TemporaryFolder();
        WeightTensor large = RandomTensor(TensorType.U8, [3, 1_000_003], 5);
        SafetensorsWriter.Write(folder["t"], [new("large", large), new("after", RandomTensor(TensorType.F32, [7], 6))]);
        using SafetensorsFile file = SafetensorsFile.Open(folder["t"]);
        Assert.True(file.TryGet("large", out WeightTensor? tensor));
        Assert.True(large.AllBytes().AsSpan().SequenceEqual(tensor.AllBytes()));
    }

    [Fact]
    public void RejectsWhatNoFileCanHold()
    {
        using var folder = new TemporaryFolder();
        WeightTensor tensor = WeightTensor.FromSingle([1], 1);
        Rejected("the format keeps that name", [new("__metadata__", tensor)]);
        Rejected("Two tensors are named 'a'", [new("a", tensor), new("a", tensor)]);
        Rejected("no valid Unicode", [new("a\ud800", tensor)]);
        Rejected("has no name or no data", [new("a", null!)]);
        Rejected("has no name or no data", [new(null!, tensor)]);
        Rejected("at most 64", [new("a", WeightTensor.FromSingle([1], [.. Enumerable.Repeat(1L, 65)]))]);
        Rejected("no valid Unicode", [], new() { ["k"] = "\udc00" });
        Rejected("Metadata 'k' is null", [], new() { ["k"] = null! });
        Assert.Throws<ArgumentException>(() => SafetensorsWriter.Write("", []));
        Assert.Throws<ArgumentNullException>(() => SafetensorsWriter.Write(folder["t"], (IWeightSource)null!));
        Assert.Throws<ArgumentNullException>(() => SafetensorsWriter.Write(folder["t"], (KeyValuePair<string, WeightTensor>[])null!));
        Assert.Empty(Directory.GetFiles(folder.Root));

        void Rejected(string reason, KeyValuePair<string, WeightTensor>[] tensors, Dictionary<string, string>? metadata = null) =>
            Assert.Contains(reason, Assert.Throws<ArgumentException>(() => SafetensorsWriter.Write(folder["t"], tensors, metadata)).Message);
    }

    private static bool IsText(string text) => text != "__metadata__" && text.EnumerateRunes().All(rune => rune.Value != 0xfffd);

    private static WeightTensor RandomTensor(TensorType type, long[] shape, int seed)
    {
        byte[] data = new byte[shape.Aggregate(1L, (product, size) => product * size) * WeightTensor.ElementSize(type)];
        new Random(seed).NextBytes(data);
        return new WeightTensor(type, shape, data);
    }
}
