using Q4Gen.Import;
using Q4Gen.Import.Onnx;
using Q4Gen.Tests.Runtime;
using static Q4Gen.Tests.Import.OnnxBuilder;

namespace Q4Gen.Tests.Import;

/// <summary>MatMulNBits against what its weights are.</summary>
public class OnnxSourceTests
{
    private const int Float = 1;
    private const int UInt8 = 2;
    private const int Int64 = 7;
    private const int Half16 = 10;

    [Theory]
    [InlineData(96, 32)]
    [InlineData(172, 64)]
    [InlineData(16, 16)]
    public void LayersWithoutZeroPointsAreLossless(int inFeatures, int block)
    {
        var packed = new PackedLayers(inFeatures, 12, block, seed: 1, symmetric: true);
        byte[] bias = [.. SafetensorsTestFiles.Randoms(12, 2).SelectMany(BitConverter.GetBytes)];
        using OnnxSource source = OnnxSource.FromMemory(Model(
            Node("Add", ["a", "b"]),
            Layer(packed, block, "x", "w", "s", "", "", "b"),
            Initializer("shape", Int64, [2], new byte[16]),
            Initializer("norm", Float, [3], new byte[12], packedShape: false),
            Initializer("w", UInt8, [12, packed.Groups, block / 2], Weights(packed, block)),
            Initializer("s", Half16, [12 * packed.Groups], Halves(packed, packed.Scale)),
            Initializer("b", Float, [12], bias)), "made");
        Assert.Equal(["w.weight_4bit", "w.scales_4bit", "w.bias", "norm"], source.Names);
        ImportedLayer layer = Assert.Single(source.Layers);
        Assert.Equal((new Linear4BitShape(inFeatures, 12, block), false, true), (layer.Shape, layer.IsAffine, layer.IsLossless));
        ImportChecks.AssertError(layer, source.Weights("w", block), packed.Weight);
        Assert.Equal(bias, source.Get("w.bias").AllBytes());
        Assert.Equal($"{block}", source.Metadata["group_size"]);
    }

    [Theory]
    [InlineData(96)]
    [InlineData(128)]
    public void ZeroPointsBecomeOffsets(int inFeatures)
    {
        var packed = new PackedLayers(inFeatures, 12, 32, seed: 3) { Round = value => (float)value };
        byte[] weights = Initializer("w", UInt8, [12, packed.Groups, 16], Weights(packed, 32));
        byte[] scales = Initializer("s", Float, [12, packed.Groups], Singles(packed, packed.Scale));
        byte[] layer = Layer(packed, 32, "x", "w", "s", "z");
        foreach (byte[] zeros in new[]
                 {
                     Initializer("z", UInt8, [12, (packed.Groups + 1) / 2], Zeros(packed)),
                     Initializer("z", Float, [12, packed.Groups], Singles(packed, (o, g) => packed.Zero(o, g))),
                 })
        {
            using OnnxSource source = OnnxSource.FromMemory(Model(layer, weights, scales, zeros), "made");
            double[,] ours = source.Weights("w", 32);
            Assert.True(source.Layers[0].IsAffine);
            ImportChecks.AssertError(source.Layers[0], ours, packed.Weight);
            Assert.InRange(source.Layers[0].Error!.RelativeRms, 1e-6, 1e-3);
        }
    }

    [Fact]
    public void DataMayBeInAFileBesideTheModel()
    {
        var packed = new PackedLayers(64, 12, 32, seed: 4, symmetric: true);
        byte[] weights = Weights(packed, 32), scales = Halves(packed, packed.Scale);
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["m.data"], [.. new byte[64], .. weights, .. scales]);
        File.WriteAllBytes(folder["m.onnx"], Make("m.data"));
        using (OnnxSource source = OnnxSource.Open(folder["m.onnx"]))
        {
            ImportChecks.AssertError(source.Layers[0], source.Weights("w", 32), packed.Weight);
            Assert.True(source.Layers[0].IsLossless);
        }

        foreach (string location in new[] { "../m.data", "/etc/passwd", "a/b", "..", "", "c:x", "a\\b" })
        {
            File.WriteAllBytes(folder["m.onnx"], Make(location));
            Assert.Contains("data is in the model or in a plain file beside it", Assert.Throws<WeightFormatException>(() => OnnxSource.Open(folder["m.onnx"])).Message);
        }

        File.WriteAllBytes(folder["m.onnx"], Make("other"));
        Assert.Contains("is not there; fetch the missing file", Assert.Throws<WeightFormatException>(() => OnnxSource.Open(folder["m.onnx"])).Message);
        File.WriteAllBytes(folder["other"], new byte[70]);
        Assert.Contains($"takes {weights.Length} bytes from byte 64 on, but its file has 70", Assert.Throws<WeightFormatException>(() => OnnxSource.Open(folder["m.onnx"])).Message);
        Assert.Contains("plain file beside it", ImportChecks.Rejected(() => OnnxSource.FromMemory(Make("m.data"), "made")));

        byte[] Make(string location) => Model(
            Layer(packed, 32, "x", "w", "s"),
            External("w", UInt8, [12, 2, 16], location, ("offset", "64"), ("length", $"{weights.Length}")),
            External("s", Half16, [24], location, ("offset", $"{64 + weights.Length}")));
    }

    [Fact]
    public void RejectsWhatDoesNotFit()
    {
        var packed = new PackedLayers(64, 12, 32, seed: 5, symmetric: true);
        byte[] w = Initializer("w", UInt8, [12, 2, 16], Weights(packed, 32)), s = Initializer("s", Half16, [24], Halves(packed, packed.Scale));
        byte[] layer = Layer(packed, 32, "x", "w", "s");
        OnnxSource.FromMemory(Model(layer, w, s), "made").Dispose();
        Rejected("has no graph", Field(1, 1));
        Rejected("has no graph", []);
        Rejected("has two graphs", [.. Model(layer, w, s), .. Model(layer, w, s)]);
        Rejected("none of its nodes is MatMulNBits", Model(w, s));
        Rejected("has initialiser 'w' twice", Model(layer, w, w, s));
        Rejected("takes 's', which is no initialiser but computed", Model(layer, w));
        Rejected("has no input scales", Model(Layer(packed, 32, "x", "w"), w));
        Rejected("has a g_idx", Model(Layer(packed, 32, "x", "w", "s", "", "i"), w, s));
        Rejected("has no attribute K", Model(Node("MatMulNBits", ["x", "w", "s"]), w, s));
        foreach ((string name, long value) in new[] { ("K", 63L), ("K", -64L), ("K", long.MaxValue), ("N", 0L), ("bits", 8L), ("block_size", 8L), ("block_size", 33L) })
        {
            var values = new Dictionary<string, long> { ["K"] = 64, ["N"] = 12, ["bits"] = 4, ["block_size"] = 32, [name] = value };
            Rejected("are expected", Model(Node("MatMulNBits", ["x", "w", "s"], [.. values.Select(pair => (pair.Key, pair.Value))]), w, s));
        }

        Rejected("'s' has 48 bytes, but F16 [12, 1] is expected", Model(Layer(packed, 64, "x", "w", "s"), w, s));
        Rejected("'w' has type 3, but UINT8", Model(layer, Initializer("w", 3, [12, 2, 16], Weights(packed, 32)), s));
        Rejected("'s' has type 11, but scales are", Model(layer, w, Initializer("s", 11, [24], new byte[192])));
        Rejected("'s' has 46 bytes, but F16 [12, 2]", Model(layer, w, Initializer("s", Half16, [23], new byte[46])));
        Rejected("'w' has no raw data", Model(layer, Field(5, Message(Field(1, 4), Field(2, UInt8), Field(8, "w"), Field(5, new byte[4]))), s));
        Rejected("'norm' has 12 bytes, but F32 [4] is expected", Model(layer, w, s, Initializer("norm", Float, [4], new byte[12])));
        Rejected("says offset '-1'", Model(layer, s, External("w", UInt8, [12, 2, 16], "d", ("offset", "-1"))));
        Rejected("two tensors that are named 'w.weight_4bit'", Model(layer, w, s, Initializer("w.weight_4bit", Float, [1], new byte[4])));

        // Broken messages: lengths past their end, wire types that there are not, endless numbers, too many dimensions.
        Rejected("bytes at byte", [.. Varint(7 * 8 + 2), .. Varint(ulong.MaxValue)]);
        Rejected("of wire type 3", [7 * 8 + 3]);
        Rejected("has a field 0", [2, 0]);
        Rejected("has a number of more than 10 bytes", [.. Enumerable.Repeat((byte)0xff, 20)]);
        Rejected("ends inside a number", [0xff]);
        Rejected("ends inside field 3", [3 * 8 + 5, 1]);
        Rejected("is expected", [.. Varint(7 * 8), 1]);
        Rejected("more than 64 numbers in a list", Model(Field(5, Field(1, Enumerable.Repeat((byte)1, 100_000).ToArray()))));
        Rejected("ends inside a number at byte", Model(Field(5, Message(Field(1, [0x80]), Field(2, 1)))));
        Rejected("is not valid UTF-8", Model(Field(5, Field(8, [0xff]))));
        Rejected("but at most 65536 are taken", Model(Field(5, Field(8, new byte[70_000]))));

        static void Rejected(string reason, byte[] file) => Assert.Contains(reason, ImportChecks.Rejected(() => OnnxSource.FromMemory(file, "made")));
    }

    [Fact]
    public void SpoiledFilesAreReadOrRejected()
    {
        var one = new PackedLayers(32, 4, 16, seed: 6);
        var two = new PackedLayers(20, 3, 16, seed: 7, symmetric: true);
        byte[][] files =
        [
            Model(Layer(one, 16, "x", "w", "s", "z"), Initializer("w", UInt8, [4, 2, 8], Weights(one, 16)),
                Initializer("s", Half16, [8], Halves(one, one.Scale)), Initializer("z", UInt8, [4, 1], Zeros(one))),
            Model(Layer(two, 16, "x", "w", "s"), Initializer("w", UInt8, [3, 2, 8], Weights(two, 16)), Initializer("s", Float, [6], Singles(two, two.Scale))),
        ];
        SpoiledBytes.Check(files, 12_000, 20_260_909, file => OnnxSource.FromMemory(file, "fuzzed"));
    }
}
