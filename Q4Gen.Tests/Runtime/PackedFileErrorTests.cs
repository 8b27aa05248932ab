using Q4Gen.Loading;
using static Q4Gen.Tests.Runtime.SafetensorsTestFiles;

namespace Q4Gen.Tests.Runtime;

/// <summary>What is wrong with a packed file is one sentence: which file, which tensor, what was found, what was expected, what to do.</summary>
public class PackedFileErrorTests
{
    private const string PackAgain = "; run 'q4gen pack' again on the model that it was made from.";

    [Fact]
    public void LayoutsOfOtherVersions()
    {
        Dictionary<string, WeightTensor> tensors = Tensors();
        string expected = $"made: records q4gen_layout 'R32K8', but this version reads 'R16K8'{PackAgain}";
        Assert.Equal(expected, Rejected(tensors, "p", PackedModels.Metadata("R32K8")));

        // Such a file has other tensors, too.
        Dictionary<string, WeightTensor> others = new() { ["p.weight_r32k8"] = tensors["p.weight_r16k8"] };
        Assert.Equal(expected, Rejected(others, "p", PackedModels.Metadata("R32K8")));
        Assert.Equal(expected, Assert.Throws<WeightFormatException>(() => PackedFile.Verify(new TensorDictionary(others, "made", PackedModels.Metadata("R32K8")))).Message);
        Assert.Equal(
            $"made: has 'p.shape_r16k8', but records no q4gen_layout in its metadata, where 'R16K8' is expected{PackAgain}",
            Rejected(tensors, "p", []));
        Assert.Equal(
            "made: holds panels, which are for little-endian processors, but this one is big-endian; load the model that the file was packed from.",
            Assert.Throws<WeightFormatException>(() => PanelTensors.CheckByteOrder(new TensorDictionary(tensors, "made"), isLittleEndian: false)).Message);
    }

    [Theory]
    [InlineData("shape_r16k8"), InlineData("weight_r16k8"), InlineData("scales_r16k8")]
    public void MissingParts(string part)
    {
        Dictionary<string, WeightTensor> tensors = Tensors();
        tensors.Remove($"p.{part}");
        Assert.Equal($"made: has no tensor 'p.{part}', but other parts of the layer{PackAgain}", Rejected(tensors));
    }

    [Fact]
    public void LayersThatAreNotThere()
    {
        Dictionary<string, WeightTensor> tensors = Tensors();
        Assert.Contains("has no tensor 'q.weight_r16k8'; the nearest of its 6 names: 'p.weight_r16k8'", Rejected(tensors, "q"));
        tensors["head.weight"] = WeightTensor.FromSingle(new float[8], 2, 4);
        Assert.Contains("only the unquantised 'head.weight'", Rejected(tensors, "head"));
        tensors["p.weight_4bit"] = WeightTensor.FromByte(new byte[17], 17, 1);
        Assert.Equal($"made: has both 'p.weight_4bit' and 'p.shape_r16k8', but a layer is in rows or in panels{PackAgain}", Rejected(tensors));
    }

    public static TheoryData<string, string, long[], string> Shapes => new()
    {
        { "shape_r16k8", "U8", [0, 34, 17], "U8 [0, in, out, group] with an even in, 1 to 33554432 features and a positive group is expected" },
        { "shape_r16k8", "I8", [0, 34, 17, 16], "U8 [0, in, out, group]" },
        { "shape_r16k8", "U8", [0, 33, 17, 16], "with an even in" },
        { "shape_r16k8", "U8", [0, 34, 0, 16], "1 to 33554432 features" },
        { "shape_r16k8", "U8", [0, 34, 17, 0], "a positive group" },
        { "shape_r16k8", "U8", [0, 34, 17, 1L << 31], "a positive group" },
        { "shape_r16k8", "U8", [0, 1L << 26, 17, 16], "1 to 33554432 features" },
        { "shape_r16k8", "U8", [1, 34, 17, 16], "U8 [0, in, out, group]" },
        { "weight_r16k8", "I32", [2, 5, 16], "U32 [2, 5, 16] is expected for 34→17 g16" },
        { "weight_r16k8", "U32", [5, 2, 16], "U32 [2, 5, 16] is expected for 34→17 g16" },
        { "weight_r16k8", "U32", [2, 5, 15], "U32 [2, 5, 16] is expected" },
        { "weight_r16k8", "U32", [2, 80], "U32 [2, 5, 16] is expected" },
        { "scales_r16k8", "BF16", [2, 3, 16], "F16 [2, 3, 16] is expected" },
        { "scales_r16k8", "F16", [2, 2, 16], "F16 [2, 3, 16] is expected" },
        { "offsets_r16k8", "F16", [3, 2, 16], "F16 [2, 3, 16] is expected" },
        { "bias_r16k8", "F32", [17], "F32 [2, 16] is expected" },
        { "order_4bit", "I32", [33], "I32 [34] is expected" },
        { "order_4bit", "U32", [34], "I32 [34] is expected" },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void WrongTypesAndShapes(string part, string type, long[] shape, string expected)
    {
        Dictionary<string, WeightTensor> tensors = Tensors();
        TensorType parsed = Enum.Parse<TensorType>(type);
        tensors[$"p.{part}"] = new WeightTensor(parsed, shape, new byte[shape.Aggregate(1L, static (product, size) => product * size) * WeightTensor.ElementSize(parsed)]);
        string message = Rejected(tensors);
        Assert.StartsWith($"made: tensor 'p.{part}' is {tensors[$"p.{part}"]}, but ", message);
        Assert.Contains(expected, message);
        Assert.EndsWith(PackAgain, message);
    }

    [Fact]
    public void OrdersAreLookedAt()
    {
        Dictionary<string, WeightTensor> tensors = Tensors();
        tensors["p.order_4bit"] = WeightTensor.FromInt32([34, .. Enumerable.Range(1, 33)], 34);
        Assert.StartsWith("made: tensor 'p.order_4bit' names input feature 34 at column 0, but features are 0 to 33", Rejected(tensors));
    }

    [Fact]
    public void GroupsThatContradict()
    {
        var source = new TensorDictionary(Tensors(), "made", PackedModels.Metadata());
        string message = Assert.Throws<WeightFormatException>(() => Linear4Bit.Load(source, "p", group: 32)).Message;
        Assert.Equal("made: layer 'p' is 34→17 g16, which contradicts the group that was asked for, 32; leave the argument 'group' out, or load the file that it belongs to.", message);
        Linear4Bit.Load(source, "p", group: 16).Dispose();

        // Groups as long as the row are the same, however long they would be.
        var one = PackedModels.Layer("p", new(24, 5, 24), false, false, false, 1);
        using var folder = new TemporaryFolder();
        using SafetensorsFile file = SafetensorsFile.Open(folder.Pack("m", new TensorDictionary(one, "made", SafetensorsWriter.DescribeGroup(24))));
        using Linear4Bit layer = Linear4Bit.Load(file, "p", group: 128);
        Assert.Equal(new Linear4BitShape(24, 5, 128), layer.Shape);
    }

    [Fact]
    public void TensorsThatWereMoved()
    {
        using var folder = new TemporaryFolder();
        Dictionary<string, WeightTensor> tensors = Tensors();
        SafetensorsWriter.Write(folder["moved"], tensors, PackedModels.Metadata());
        using SafetensorsFile file = SafetensorsFile.Open(folder["moved"]);
        string message = Assert.Throws<WeightFormatException>(() => Linear4Bit.Load(file, "p")).Message;
        Assert.Matches($"^{folder["moved"]}: tensor 'p.weight_r16k8' starts [0-9]+ bytes behind a multiple of 64, but kernels read it where it lies; whatever wrote this file moved its tensors{PackAgain}$", message);
    }

    [Fact]
    public void FilesThatAreCutOff()
    {
        using var folder = new TemporaryFolder();
        byte[] whole = File.ReadAllBytes(folder.Pack("m", Source()));
        foreach (int length in new[] { 7, 100, 4096, whole.Length / 2, whole.Length - 1 })
        {
            File.WriteAllBytes(folder["cut"], whole[..length]);
            Assert.StartsWith(folder["cut"], Assert.Throws<WeightFormatException>(() => SafetensorsFile.Open(folder["cut"])).Message);
        }
    }

    [Fact]
    public void HashesFindWhatChanged()
    {
        using var folder = new TemporaryFolder();
        string path = folder.Pack("m", PackedModels.Model(), withHashes: true);
        byte[] whole = File.ReadAllBytes(path);
        string[] names;
        Dictionary<string, (long Begin, long Length)> places = [];
        using (SafetensorsFile file = SafetensorsFile.FromMemory(whole, "whole"))
        {
            PackedFile.Verify(file);
            names = [.. file.Names];
            int data = 8 + (int)System.Buffers.Binary.BinaryPrimitives.ReadInt64LittleEndian(whole);
            using var header = System.Text.Json.JsonDocument.Parse(whole.AsMemory(8, data - 8));
            foreach (string name in names)
            {
                long[] ends = [.. header.RootElement.GetProperty(name).GetProperty("data_offsets").EnumerateArray().Select(static end => end.GetInt64())];
                places[name] = (data + ends[0], ends[1] - ends[0]);
            }
        }

        Assert.Contains(names, static name => name.StartsWith("q4gen_padding.", StringComparison.Ordinal));
        foreach (string name in names.Where(name => places[name].Length != 0))
        {
            // One bit of one byte of each tensor, the lowest one, so that no value becomes infinite.
            byte[] changed = [.. whole];
            changed[places[name].Begin + places[name].Length / 2] ^= 1;
            string message = Assert.Throws<WeightFormatException>(() => PackedFile.Verify(SafetensorsFile.FromMemory(changed, "changed"))).Message;
            Assert.StartsWith("changed: ", message, StringComparison.Ordinal);
            bool saysWhich = message.Contains($"tensor '{name}' has SHA-256", StringComparison.Ordinal);

            // Padding of panels and orders have errors of their own, and damaged hashes are told by the tensors that have them.
            Assert.True(saysWhich || message.Contains(name.Split('.')[^1], StringComparison.Ordinal) || name == "q4gen_sha256", message);
            Assert.Equal(saysWhich || name == "q4gen_sha256", message.Contains("the file is damaged: fetch it again, or run 'q4gen pack' again", StringComparison.Ordinal));
        }

        // The header counts as well: the same bytes as another type, and a tensor more.
        Dictionary<string, WeightTensor> tensors = PackedModels.Read(path);
        tensors["mask"] = new WeightTensor(TensorType.I8, [3], tensors["mask"].AllBytes());
        Assert.Contains("tensor 'mask' has SHA-256", Fails());
        tensors["more"] = tensors["mask"];
        Assert.Contains($"tensor 'q4gen_sha256' is U8 [{names.Length - 1}, 32], but U8 [{names.Length}, 32] is expected, a hash for each other tensor", Fails());
        tensors.Remove("q4gen_sha256");
        PackedFile.Verify(new TensorDictionary(tensors, "made", PackedModels.Metadata()));

        string Fails() => Assert.Throws<WeightFormatException>(() => PackedFile.Verify(new TensorDictionary(tensors, "made", PackedModels.Metadata()))).Message;
    }

    [Theory]
    [InlineData("scales_r16k8", 2 * 0, 0x7E00, "scales_r16k8 holds NaN at row 0, group 0, but scales are finite")]
    [InlineData("scales_r16k8", 2 * 17, 0xFC00, "scales_r16k8 holds -infinity at row 1, group 1, but scales are finite")]
    [InlineData("offsets_r16k8", 2 * 48, 0x7C00, "offsets_r16k8 holds +infinity at row 16, group 0, but offsets are finite")]
    [InlineData("scales_r16k8", 2 * 49, 0x3C00, "scales_r16k8 holds 1 at row 17, group 0, but what fills panels of 17 rows up is 0")]
    [InlineData("bias_r16k8", 4 * 3 + 2, 0x7F80, "bias_r16k8 holds +infinity at row 3, but biases are finite")]
    [InlineData("bias_r16k8", 4 * 31 + 2, 0x3F80, "bias_r16k8 holds 1 at row 31, but what fills panels of 17 rows up is 0")]
    [InlineData("weight_r16k8", 4 * (80 + 3), 0x8881, "weight_r16k8 holds 0x88888881 at row 19, step 0, but what fills panels of [17, 34] up is 0x88888888")]
    public void ValuesAreLookedAtWhereThatIsAskedFor(string part, int at, int bits, string expected)
    {
        Dictionary<string, WeightTensor> tensors = Tensors();
        byte[] bytes = tensors[$"p.{part}"].AllBytes();
        if (part == "bias_r16k8")
        {
            bytes[at - 2] = bytes[at - 1] = 0;
        }

        BitConverter.GetBytes((ushort)bits).CopyTo(bytes, at);
        tensors[$"p.{part}"] = new WeightTensor(tensors[$"p.{part}"].Type, [.. tensors[$"p.{part}"].Shape], bytes);
        var source = new TensorDictionary(tensors, "made", PackedModels.Metadata());
        Linear4Bit.Load(source, "p").Dispose();
        Assert.Equal($"made: layer 'p': {expected}{PackAgain}", Assert.Throws<WeightFormatException>(() => PackedFile.Verify(source)).Message);

        // Nor is such a layer written once more.
        using var folder = new TemporaryFolder();
        Assert.Contains(expected, Assert.Throws<WeightFormatException>(() => PackedFile.Write(folder["m"], source)).Message);
        Assert.Empty(Directory.GetFiles(folder.Root));
    }

    [Fact]
    public void ColumnsBehindTheLastAreLookedAt()
    {
        Dictionary<string, WeightTensor> tensors = Tensors();
        byte[] bytes = tensors["p.weight_r16k8"].AllBytes();

        // Row 2, step 4: columns 32 and 33 are its lowest byte.
        bytes[4 * (4 * 16 + 2) + 1] = 0x98;
        tensors["p.weight_r16k8"] = new WeightTensor(TensorType.U32, [2, 5, 16], bytes);
        Assert.Contains("at row 2, step 4, but what fills panels", Assert.Throws<WeightFormatException>(() => PackedFile.Verify(new TensorDictionary(tensors, "made", PackedModels.Metadata()))).Message);
    }

    [Fact]
    public void ModelsThatCannotBePacked()
    {
        using var folder = new TemporaryFolder();
        var floats = new TensorDictionary(new Dictionary<string, WeightTensor> { ["a.weight"] = WeightTensor.FromSingle(new float[8], 2, 4) }, "floats");
        Assert.Equal(
            "floats: has no layer in 4 bits ({name}.weight_4bit) to pack; quantise it first, with 'q4gen quantize' or Linear4BitQuantizer.",
            Assert.Throws<WeightFormatException>(() => PackedFile.Write(folder["m"], floats)).Message);
        Assert.Equal(
            "floats: is no packed file: its metadata has no q4gen_layout; 'q4gen pack' writes such files.",
            Assert.Throws<WeightFormatException>(() => PackedFile.Verify(floats)).Message);

        // The layer's own errors are the loader's.
        Dictionary<string, WeightTensor> bad = Layer("p", 64, 48, 32);
        bad["p.scales_4bit"] = WeightTensor.FromHalf([Half.NaN, .. new Half[95]], 48, 2);
        Assert.Contains("'p.scales_4bit' holds NaN at row 0, group 0", Assert.Throws<WeightFormatException>(() => PackedFile.Write(folder["m"], new TensorDictionary(bad, "bad"))).Message);
        bad.Remove("p.scales_4bit");
        Assert.Contains("has no tensor 'p.scales_4bit'", Assert.Throws<WeightFormatException>(() => PackedFile.Write(folder["m"], new TensorDictionary(bad, "bad"))).Message);
        Assert.Empty(Directory.GetFiles(folder.Root));
    }

    private static TensorDictionary Source() => new(
        PackedModels.Layer("p", new(34, 17, 16), bias: true, affine: true, order: true, seed: 1), "source", SafetensorsWriter.DescribeGroup(16));

    /// <summary>The six tensors of one packed layer, and nothing else.</summary>
    private static Dictionary<string, WeightTensor> Tensors()
    {
        using var folder = new TemporaryFolder();
        Dictionary<string, WeightTensor> tensors = PackedModels.Read(folder.Pack("m", Source()));
        return tensors.Where(static tensor => tensor.Key.StartsWith('p')).ToDictionary();
    }

    private static string Rejected(Dictionary<string, WeightTensor> tensors, string prefix = "p", Dictionary<string, string>? metadata = null) =>
        Assert.Throws<WeightFormatException>(() => Linear4Bit.Load(new TensorDictionary(tensors, "made", metadata ?? PackedModels.Metadata()), prefix)).Message;
}
