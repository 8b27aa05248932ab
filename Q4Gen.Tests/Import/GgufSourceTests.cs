using Q4Gen.Import;
using Q4Gen.Import.Gguf;
using Q4Gen.Tests.Runtime;

namespace Q4Gen.Tests.Import;

/// <summary>GGUF tensors in our format, against a decoder of single weights.</summary>
public class GgufSourceTests
{
    private const int Rows = 6;
    private const int Columns = 512;

    public static TheoryData<GgufTensorType> Types => [.. Enum.GetValues<GgufTensorType>()];

    [Theory]
    [MemberData(nameof(Types))]
    public void DecodesEveryTypeExactly(GgufTensorType type)
    {
        byte[] data = type is GgufTensorType.F32 or GgufTensorType.F16 or GgufTensorType.BF16
            ? ImportChecks.Floats(type, SafetensorsTestFiles.Randoms(Rows * Columns, 7))
            : ImportChecks.RandomBlocks(type, Rows * Columns, 7);
        using GgufSource source = Open(Matrix("token_embd.weight", type, data));
        double[] expected = GgufDecoder.DecodeAll(type, data, Rows * Columns);

        WeightTensor tensor = source.Get("token_embd.weight");
        Assert.Equal([Rows, Columns], tensor.Shape);
        Assert.Equal(expected.Select(w => (float)w), tensor.ToSingleArray());
        Assert.Empty(source.Layers);
        Assert.DoesNotContain("group_size", source.Metadata.Keys);

        // In pieces that begin and end inside elements and blocks.
        byte[] all = tensor.AllBytes();
        foreach ((int offset, int length) in new[] { (0, 1), (3, 5), (1021, 4099), (all.Length - 7, 7), (all.Length, 0) })
        {
            Assert.Equal(all[offset..(offset + length)], tensor.Bytes(offset, length));
            Assert.Equal(all[offset..(offset + length)], tensor.Read(offset, new byte[length]));
        }
    }

    [Fact]
    public void Q4_0IsLossless()
    {
        byte[] data = ImportChecks.RandomBlocks(GgufTensorType.Q4_0, Rows * Columns, 1);
        BitConverter.GetBytes((Half)0).CopyTo(data, 18);
        BitConverter.GetBytes(Half.MaxValue).CopyTo(data, 36);
        BitConverter.GetBytes(-Half.Epsilon).CopyTo(data, 54);
        using GgufSource source = Open(Matrix("blk.0.attn_q.weight", GgufTensorType.Q4_0, data));
        ImportedLayer layer = Assert.Single(source.Layers);
        Assert.Equal(("blk.0.attn_q", "Q4_0", new Linear4BitShape(Columns, Rows, 32), false), (layer.Name, layer.SourceFormat, layer.Shape, layer.IsAffine));
        Assert.True(layer.IsLossless);
        Assert.Null(layer.Error);
        Assert.Equal(["blk.0.attn_q.weight_4bit", "blk.0.attn_q.scales_4bit"], source.Names);
        Assert.Equal("32", source.Metadata["group_size"]);

        AssertWeights(GgufTensorType.Q4_0, data, source.Weights("blk.0.attn_q", 32), exact: true);
        Assert.Equal(new ImportError(0, 0), layer.Error);
        Assert.Equal("blk.0.attn_q: Q4_0, 512→6 g32, lossless", layer.ToString());

        // Bit for bit: scales are the file's.
        byte[] scales = source.Get("blk.0.attn_q.scales_4bit").AllBytes();
        Assert.Equal(Enumerable.Range(0, data.Length / 18).SelectMany(block => data[(18 * block)..(18 * block + 2)]), scales);
    }

    [Fact]
    public void NibblesOfABlockTakeTheirColumns()
    {
        // Byte j is element j below and j + 16 above: with j for both, columns are 0, 1, … 15, 0, 1, … 15.
        byte[] block = [.. BitConverter.GetBytes((Half)1), .. Enumerable.Range(0, 16).Select(j => (byte)(j | j << 4))];
        using GgufSource source = Open(new GgufBuilder().Tensor("a.weight", GgufTensorType.Q4_0, [32, 1], block));
        byte[] half = [0x10, 0x32, 0x54, 0x76, 0x98, 0xBA, 0xDC, 0xFE];
        Assert.Equal([.. half, .. half], source.Get("a.weight_4bit").AllBytes());
    }

    [Fact]
    public void Q4_1IsLosslessWhereItsOffsetsAreF16()
    {
        // m + 8d: 8 · 0.25 − 2.5 is one; 8 · 0.25 + 0.0003 is not, by half a step of F16 at 2, less 0.0003.
        byte[] exact = Block(0.25, -2.5), rounded = Block(0.25, 0.0003);
        using GgufSource first = Open(new GgufBuilder().Tensor("a.weight", GgufTensorType.Q4_1, [32, 1], exact));
        using GgufSource second = Open(new GgufBuilder().Tensor("a.weight", GgufTensorType.Q4_1, [32, 1], rounded));
        Assert.Null(first.Layers[0].IsLossless);
        Assert.True(first.Layers[0].IsAffine);
        Assert.Contains("not converted yet", first.Layers[0].ToString());
        AssertWeights(GgufTensorType.Q4_1, exact, first.Weights("a", 32), exact: true);
        AssertWeights(GgufTensorType.Q4_1, rounded, second.Weights("a", 32), exact: false);
        Assert.True(first.Layers[0].IsLossless);
        Assert.False(second.Layers[0].IsLossless);
        Assert.Equal((double)(Half)0.0003, second.Layers[0].Error!.MaxAbsolute);

        static byte[] Block(double d, double m) =>
            [.. BitConverter.GetBytes((Half)d), .. BitConverter.GetBytes((Half)m), .. Enumerable.Range(0, 16).Select(j => (byte)(j * 17))];
    }

    [Theory]
    [InlineData(GgufTensorType.Q4_1)]
    [InlineData(GgufTensorType.Q4_K)]
    public void AffineBlocksLoseOnlyTheRoundingToF16(GgufTensorType type)
    {
        byte[] data = ImportChecks.RandomBlocks(type, Rows * Columns, 3);
        using GgufSource source = Open(Matrix("a.weight", type, data));
        double[,] ours = source.Weights("a", 32);
        double[] expected = AssertWeights(type, data, ours, exact: false);
        ImportChecks.AssertError(source.Layers[0], ours, (o, k) => expected[o * Columns + k]);
        Assert.InRange(source.Layers[0].Error!.RelativeRms, 1e-9, 1e-3);
        Assert.Equal([Rows, Columns / 32], source.Get("a.offsets_4bit").Shape);
    }

    [Fact]
    public void AQ4_KWhoseProductsFitF16IsLossless()
    {
        byte[] data = ImportChecks.RandomBlocks(GgufTensorType.Q4_K, Rows * Columns, 4);
        for (int at = 0; at < data.Length; at += 144)
        {
            BitConverter.GetBytes((Half)0.125).CopyTo(data, at);
            BitConverter.GetBytes((Half)0.25).CopyTo(data, at + 2);
        }

        using GgufSource source = Open(Matrix("a.weight", GgufTensorType.Q4_K, data));
        AssertWeights(GgufTensorType.Q4_K, data, source.Weights("a", 32), exact: true);
        Assert.True(source.Layers[0].IsLossless);
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void OtherTypesAreQuantised(GgufTensorType type)
    {
        if (GgufLayers.KeepsNibbles(type))
        {
            return;
        }

        bool floats = GgufTypes.Plain(type) is not null;
        byte[] data = floats
            ? ImportChecks.Floats(type, SafetensorsTestFiles.Randoms(Rows * Columns, 5))
            : ImportChecks.RandomBlocks(type, Rows * Columns, 5);
        byte[] file = Matrix("a.weight", type, data).Build();
        using GgufSource source = GgufSource.FromMemory(file, "made", new GgufImportOptions { Quantization = new QuantizationOptions { Group = 64 }, QuantizeFloats = true });
        double[] expected = GgufDecoder.DecodeAll(type, data, Rows * Columns);
        QuantizedMatrix quantized = Linear4BitQuantizer.Quantize(
            WeightTensor.FromSingle(expected.Select(w => (float)w).ToArray(), Rows, Columns), 64, ct: TestContext.Current.CancellationToken);

        Assert.Equal(quantized.Weight4Bit.AllBytes(), source.Get("a.weight_4bit").AllBytes());
        Assert.Equal(quantized.Scales4Bit.AllBytes(), source.Get("a.scales_4bit").AllBytes());
        Assert.Equal(quantized.RelativeRmsError, source.Layers[0].Error!.RelativeRms);
        Assert.Equal("64", source.Metadata["group_size"]);
        Assert.False(source.Layers[0].IsLossless);

        using GgufSource asItIs = GgufSource.FromMemory(file, "made");
        Assert.Equal(floats, asItIs.TryGet("a.weight", out _));
    }

    [Fact]
    public void WhatIsWrittenIsWhatIsReadAndLoads()
    {
        byte[] q40 = ImportChecks.RandomBlocks(GgufTensorType.Q4_0, Rows * Columns, 8);
        byte[] q6k = ImportChecks.RandomBlocks(GgufTensorType.Q6_K, Rows * Columns, 9);
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["m.gguf"], new GgufBuilder { Alignment = 64 }
            .Value("general.alignment", 64).Value("general.name", "Tëst").Value("llama.block_count", 1)
            .Tensor("blk.0.ffn_up.weight", GgufTensorType.Q4_0, [Columns, Rows], q40)
            .Tensor("output.weight", GgufTensorType.Q6_K, [Columns, Rows], q6k)
            .Tensor("blk.0.ffn_up.bias", GgufTensorType.F32, [Rows], ImportChecks.Floats(GgufTensorType.F32, SafetensorsTestFiles.Randoms(Rows, 3)))
            .Build());
        using (GgufSource source = GgufSource.Open(folder["m.gguf"]))
        {
            SafetensorsWriter.Write(folder["m.safetensors"], source);
            Assert.All(source.Layers, layer => Assert.NotNull(layer.Error));
        }

        using SafetensorsFile written = SafetensorsFile.Open(folder["m.safetensors"]);
        Assert.Equal("Tëst", written.Metadata["general.name"]);
        Assert.Equal("1", written.Metadata["llama.block_count"]);
        using Linear4Bit layer = Linear4Bit.Load(written, "blk.0.ffn_up");
        float[] x = SafetensorsTestFiles.Randoms(Columns, 2);
        float[] y = new float[Rows];
        layer.Forward(x, y);
        double[] w = GgufDecoder.DecodeAll(GgufTensorType.Q4_0, q40, Rows * Columns);
        float[] bias = SafetensorsTestFiles.Randoms(Rows, 3);
        for (int o = 0; o < Rows; o++)
        {
            Assert.Equal(bias[o] + Enumerable.Range(0, Columns).Sum(k => w[o * Columns + k] * x[k]), y[o], 1e-4);
        }
    }

    [Fact]
    public void ASourceKeepsOneConvertedLayer()
    {
        var builder = new GgufBuilder();
        for (int i = 0; i < 3; i++)
        {
            builder.Tensor($"blk.{i}.ffn_up.weight", GgufTensorType.Q4_K, [Columns, Rows], ImportChecks.RandomBlocks(GgufTensorType.Q4_K, Rows * Columns, i));
        }

        using GgufSource source = Open(builder);
        byte[] first = source.Get("blk.0.ffn_up.weight_4bit").AllBytes();
        ImportError? error = source.Layers[0].Error;
        source.Get("blk.0.ffn_up.scales_4bit").AllBytes();
        source.Get("blk.0.ffn_up.offsets_4bit").AllBytes();
        Assert.Same(error, source.Layers[0].Error);
        Assert.Null(source.Layers[1].Error);

        // A span outlives what replaces it in the slot.
        ReadOnlySpan<byte> span = source.Get("blk.0.ffn_up.weight_4bit").Bytes(0, first.Length);
        source.Get("blk.1.ffn_up.scales_4bit").AllBytes();
        Assert.Equal(first, span);
        Assert.Equal(first, source.Get("blk.0.ffn_up.weight_4bit").AllBytes());
        Assert.NotSame(error, source.Layers[0].Error);
        Assert.Equal(error, source.Layers[0].Error);
    }

    [Fact]
    public void ManyThreadsReadTheSame()
    {
        byte[] one = ImportChecks.RandomBlocks(GgufTensorType.Q4_K, Rows * Columns, 11), two = ImportChecks.RandomBlocks(GgufTensorType.Q4_1, Rows * Columns, 12);
        using GgufSource source = Open(Matrix("a.weight", GgufTensorType.Q4_K, one).Tensor("b.weight", GgufTensorType.Q4_1, [Columns, Rows], two));
        Dictionary<string, byte[]> expected = source.Names.ToDictionary(name => name, name => source.Get(name).AllBytes());
        Parallel.For(0, 200, i =>
        {
            string name = source.Names.ElementAt(i % source.Names.Count);
            Assert.Equal(expected[name], source.Get(name).AllBytes());
        });
    }

    [Fact]
    public void LayersThatAreLoadedAtOnceAreConvertedOnce()
    {
        using GgufSource source = Open(
            Matrix("a.weight", GgufTensorType.Q4_0, ImportChecks.RandomBlocks(GgufTensorType.Q4_0, Rows * Columns, 11))
                .Tensor("b.weight", GgufTensorType.Q4_0, [Columns, Rows], ImportChecks.RandomBlocks(GgufTensorType.Q4_0, Rows * Columns, 12)));
        WeightTensor a = source.Get("a.weight_4bit"), b = source.Get("b.weight_4bit");
        a.Hold();
        b.Hold();
        a.Bytes(0, 8);
        b.Bytes(0, 8);
        ImportError?[] errors = [source.Layers[0].Error, source.Layers[1].Error];
        a.Bytes(8, 8);
        b.Bytes(8, 8);
        a.Bytes(16, 8);
        Assert.Same(errors[0], source.Layers[0].Error);
        Assert.Same(errors[1], source.Layers[1].Error);
        a.Release();
        b.Release();

        // And a layer loads from the source itself, as from the file that is written from it.
        using var folder = new TemporaryFolder();
        SafetensorsWriter.Write(folder["f"], source);
        using SafetensorsFile written = SafetensorsFile.Open(folder["f"]);
        float[] x = SafetensorsTestFiles.Randoms(Columns, 2), one = new float[Rows], two = new float[Rows];
        using Linear4Bit direct = Linear4Bit.Load(source, "a"), indirect = Linear4Bit.Load(written, "a");
        direct.Forward(x, one);
        indirect.Forward(x, two);
        Assert.Equal(two, one);
    }

    [Fact]
    public void AChangedFileIsNoticedWhateverIsInTheSlot()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(
            folder["f"], Matrix("a.weight", GgufTensorType.Q4_0, ImportChecks.RandomBlocks(GgufTensorType.Q4_0, Rows * Columns, 11)).Build());
        using GgufSource source = GgufSource.Open(folder["f"]);
        WeightTensor weight = source.Get("a.weight_4bit");
        weight.AllBytes();
        File.SetLastWriteTimeUtc(folder["f"], DateTime.UtcNow.AddSeconds(2));
        Assert.Contains("changed while in use", Assert.Throws<WeightFormatException>(() => weight.AllBytes()).Message);
        Assert.Contains("changed while in use", Assert.Throws<WeightFormatException>(() => weight.Bytes(0, 0)).Message);
    }

    [Fact]
    public void ThrowsOnceDisposed()
    {
        GgufSource source = Open(Matrix("a.weight", GgufTensorType.Q4_0, ImportChecks.RandomBlocks(GgufTensorType.Q4_0, Rows * Columns, 1)));
        WeightTensor weight = source.Get("a.weight_4bit");
        weight.AllBytes();
        source.Dispose();
        source.Dispose();
        Assert.Throws<ObjectDisposedException>(() => weight.AllBytes());
        Assert.Throws<ObjectDisposedException>(() => source.TryGet("a.weight_4bit", out _));
    }

    [Fact]
    public void ScalesThatAreNoNumbersAreNamed()
    {
        byte[] data = ImportChecks.RandomBlocks(GgufTensorType.Q4_K, Rows * Columns, 1);
        BitConverter.GetBytes(Half.NaN).CopyTo(data, 144 * 3);
        using GgufSource source = Open(Matrix("a.weight", GgufTensorType.Q4_K, data));
        WeightFormatException e = Assert.Throws<WeightFormatException>(() => source.Get("a.weight_4bit").AllBytes());
        Assert.StartsWith("made: tensor 'a.weight': the scale of row 1, group 8 is NaN", e.Message);
        Assert.Throws<WeightFormatException>(() => source.Get("a.scales_4bit").AllBytes());
    }

    [Fact]
    public void TheOptionsDecideWhatIsLinear()
    {
        byte[] data = ImportChecks.RandomBlocks(GgufTensorType.Q4_0, Rows * Columns, 1);
        byte[] file = Matrix("a.weight", GgufTensorType.Q4_0, data).Tensor("token_embd.weight", GgufTensorType.Q4_0, [Columns, Rows], data).Build();
        using GgufSource source = GgufSource.FromMemory(file, "made", new GgufImportOptions { IsLinear = name => name == "token_embd" });
        Assert.Equal("token_embd", Assert.Single(source.Layers).Name);
        Assert.Equal(TensorType.F32, source.Get("a.weight").Type);
        Assert.Throws<ArgumentOutOfRangeException>(() => GgufSource.FromMemory(file, "made", new GgufImportOptions { Quantization = new QuantizationOptions { Group = -1 } }));
    }

    private static GgufBuilder Matrix(string name, GgufTensorType type, byte[] data) =>
        new GgufBuilder().Tensor(name, type, [Columns, Rows], data);

    private static GgufSource Open(GgufBuilder builder) => GgufSource.FromMemory(builder.Build(), "made");

    private static double[] AssertWeights(GgufTensorType type, byte[] data, double[,] ours, bool exact)
    {
        double[] expected = GgufDecoder.DecodeAll(type, data, ours.Length);
        int columns = ours.GetLength(1);
        for (int i = 0; i < expected.Length; i++)
        {
            // Half a step of F16 is at most 2⁻¹¹ of scale and offset; what is added up is eight of the one and one of the other.
            double bound = exact ? 0 : 0.01 * (Math.Abs(expected[i]) + 1);
            Assert.True(Math.Abs(expected[i] - ours[i / columns, i % columns]) <= bound, $"{type}: weight {i} is {ours[i / columns, i % columns]:R}, but {expected[i]:R} is expected.");
        }

        return expected;
    }
}
