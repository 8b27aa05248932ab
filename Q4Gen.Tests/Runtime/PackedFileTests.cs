using Q4Gen.Tests.Import;

namespace Q4Gen.Tests.Runtime;

/// <summary>Packed files: the same model to the last bit, wherever its layers lie.</summary>
public partial class PackedFileTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public void RandomLayersAreTheSameOnEveryKernel()
    {
        using var folder = new TemporaryFolder();
        int number = 0;
        foreach ((Linear4BitShape shape, bool bias, bool affine, bool order) in PackedModels.Cases(60))
        {
            var source = new TensorDictionary(PackedModels.Layer("p", shape, bias, affine, order, seed: ++number), "made", SafetensorsWriter.DescribeGroup(shape.Group));
            using SafetensorsFile file = SafetensorsFile.Open(folder.Pack($"m{number}", source));
            using Linear4Bit expected = Linear4Bit.Load(source, "p"), found = Linear4Bit.Load(file, "p");
            Assert.True(found.IsMapped && !expected.IsMapped);
            PackedModels.AssertSame(expected, found, $"{shape}, bias {bias}, affine {affine}, order {order}");
            PackedFile.Verify(file);
        }
    }

    [Theory]
    [InlineData(false), InlineData(true)]
    public void AFileTakesThePlaceOfTheOneItWasMadeFrom(bool withHashes)
    {
        using var folder = new TemporaryFolder();
        TensorDictionary source = PackedModels.Model();
        using SafetensorsModel model = SafetensorsModel.Open(folder.Pack("m.safetensors", source, withHashes));
        foreach (string prefix in PackedModels.Prefixes)
        {
            using Linear4Bit expected = Linear4Bit.Load(source, prefix), found = Linear4Bit.Load(model, prefix);
            Assert.True(found.IsMapped);
            PackedModels.AssertSame(expected, found, prefix);
        }

        foreach (string name in (string[])["embed.weight", "norm.weight", "mask", "steps"])
        {
            Assert.Equal(source.Get(name).ToString(), model.Get(name).ToString());
            Assert.Equal(source.Get(name).AllBytes(), model.Get(name).AllBytes());
        }

        Assert.Equal([("format", "pt"), ("q4gen_layout", "R16K8")], model.Metadata.Select(static fact => (fact.Key, fact.Value)).Order());
        Assert.DoesNotContain(model.Names, static name => name.EndsWith("_4bit", StringComparison.Ordinal) && !name.EndsWith("order_4bit", StringComparison.Ordinal));
        Assert.Equal((withHashes, true), (PackedFile.HasHashes(model), PackedFile.IsPacked(model)));
        Assert.False(PackedFile.IsPacked(source));
        PackedFile.Verify(model);
    }

    [Fact]
    public unsafe void WhatKernelsReadIsAligned()
    {
        using var folder = new TemporaryFolder();
        using SafetensorsFile file = SafetensorsFile.Open(folder.Pack("m", PackedModels.Model()));
        foreach (string prefix in PackedModels.Prefixes)
        {
            using Linear4Bit layer = Linear4Bit.Load(file, prefix);
            Assert.Equal(0, (nint)layer.Weights.Words(0) % 4096);
            Assert.Equal((nint)layer.Weights.Words(0), file.Get(SafetensorsTestFiles.Join(prefix, "weight_r16k8")).Address());
            Assert.Equal(0, (nint)layer.Weights.Scales(0) % 64);
            Assert.Equal(0, (nint)layer.Weights.Bias % 64);
            Assert.Equal(0, layer.IsAffine ? (nint)layer.Weights.Offsets(0) % 64 : 0);
        }

        // What other readers cast is aligned to its elements.
        Assert.Equal((0, 0, 0), (file.Get("steps").Address() % 8, file.Get("norm.weight").Address() % 4, file.Get("embed.weight").Address() % 2));
    }

    [Fact]
    public void MemoryThatIsNotMappedIsCopied()
    {
        using var folder = new TemporaryFolder();
        TensorDictionary source = PackedModels.Model();
        string path = folder.Pack("m", source);

        // One byte further than an array begins, so that nothing is aligned.
        byte[] bytes = [0, .. File.ReadAllBytes(path)];
        SafetensorsFile memory = SafetensorsFile.FromMemory(bytes.AsMemory(1), "memory");
        using SafetensorsFile mapped = SafetensorsFile.Open(path);
        var mixed = new TensorDictionary(mapped.Names.ToDictionary(static name => name, name => name.EndsWith("scales_r16k8", StringComparison.Ordinal) ? memory.Get(name) : mapped.Get(name)), "mixed", mapped.Metadata);
        var sameTensors = new TensorDictionary(mapped.Names.ToDictionary(static name => name, mapped.Get), "the mapped ones", mapped.Metadata);
        foreach (string prefix in PackedModels.Prefixes)
        {
            using Linear4Bit expected = Linear4Bit.Load(source, prefix);
            using Linear4Bit copied = Linear4Bit.Load(memory, prefix), half = Linear4Bit.Load(mixed, prefix), inPlace = Linear4Bit.Load(sameTensors, prefix);
            Assert.Equal((false, false, true), (copied.IsMapped, half.IsMapped, inPlace.IsMapped));
            PackedModels.AssertSame(expected, copied, prefix);
            PackedModels.AssertSame(expected, half, prefix);
        }

        using Linear4Bit outlives = Linear4Bit.Load(memory, "a");
        memory.Dispose();
        outlives.Forward(new float[64], new float[48]);
    }

    [Fact]
    public void PackingAgainGivesTheSameFile()
    {
        using var folder = new TemporaryFolder();
        string first = folder.Pack("first", PackedModels.Model(), withHashes: true);
        using (SafetensorsFile file = SafetensorsFile.Open(first))
        {
            Assert.Equal(File.ReadAllBytes(first), File.ReadAllBytes(folder.Pack("second", file, withHashes: true)));
            if (!OperatingSystem.IsWindows())
            {
                // Over the very file that is read: it stays what it was for whoever has it open.
                using Linear4Bit layer = Linear4Bit.Load(file, "a");
                folder.Pack("first", file);
                layer.Forward(new float[64], new float[48]);
            }
        }

        using SafetensorsFile last = SafetensorsFile.Open(first);
        Assert.Equal(OperatingSystem.IsWindows(), PackedFile.HasHashes(last));
        Assert.Equal([first, folder["second"]], Directory.GetFiles(folder.Root).Order());
    }

    [Fact]
    public void AnOrderThatChangesNothingIsNotKept()
    {
        using var folder = new TemporaryFolder();
        Dictionary<string, WeightTensor> tensors = PackedModels.Layer("p", new(24, 5, 8), bias: false, affine: false, order: false, seed: 1);
        tensors["p.order_4bit"] = WeightTensor.FromInt32([.. Enumerable.Range(0, 24)], 24);
        using SafetensorsFile file = SafetensorsFile.Open(folder.Pack("m", new TensorDictionary(tensors, "made", SafetensorsWriter.DescribeGroup(8))));
        using Linear4Bit layer = Linear4Bit.Load(file, "p");
        Assert.False(layer.HasInputOrder);
        PackedFile.Verify(file);
    }

    [Fact]
    public void ClonesAndTextSayWhereTheWeightsAre()
    {
        using var folder = new TemporaryFolder();
        using SafetensorsFile file = SafetensorsFile.Open(folder.Pack("m", PackedModels.Model()));
        using Linear4Bit layer = Linear4Bit.Load(file, "b.c");
        using Linear4Bit clone = layer.Clone();
        Assert.True(clone.IsMapped);

        // Two panels of 5 steps of 64 bytes, of 3 groups of 32 bytes twice, and of a bias; and an order.
        Assert.Equal(2 * 5 * 64 + 2 * (2 * 3 * 32) + 2 * 64 + 192, layer.ByteLength);
        Assert.StartsWith("Linear4Bit 34→17 g16, affine, input order, bias, 1.3 kB mapped, ", layer.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void ModelsLoadFromEitherFile()
    {
        using var folder = new TemporaryFolder();
        Dictionary<string, WeightTensor> tensors = [];
        for (int i = 0; i < 3; i++)
        {
            foreach ((string name, WeightTensor tensor) in PackedModels.Layer($"blocks.{i}.up_proj", new(64, 48, 32), bias: true, affine: false, order: i == 1, seed: i)
                .Concat(PackedModels.Layer($"blocks.{i}.down", new(48, 17, 32), bias: false, affine: true, order: false, seed: i + 9)))
            {
                tensors.Add(name, tensor);
            }
        }

        var source = new TensorDictionary(tensors, "made", SafetensorsWriter.DescribeGroup(32));
        using SafetensorsFile file = SafetensorsFile.Open(folder.Pack("m", source));
        PackedTestModel rows = new(), packed = new();
        rows.Load(source);
        packed.Load(file);
        Assert.Equal(3, packed.Blocks.Length);
        foreach ((PackedTestBlock left, PackedTestBlock right) in rows.Blocks.Zip(packed.Blocks))
        {
            Assert.True(right.UpProj.IsMapped && right.Down.IsMapped);
            PackedModels.AssertSame(left.UpProj, right.UpProj, "up");
            PackedModels.AssertSame(left.Down, right.Down, "down");
        }

        // As declared, or not at all.
        Assert.True(PackedTestUp.Load(file, "blocks.0.up_proj").IsMapped);
        string message = Assert.Throws<WeightFormatException>(() => PackedTestUp.Load(file, "blocks.0.down")).Message;
        Assert.Equal(
            $"{folder["m"]}: layer 'blocks.0.down' is 48→17 g32 without bias, affine, but the attribute declares 64→48 g32 with bias; to load this file, write [Linear4Bit(In = 48, Out = 17, Group = 32, Affine = true)].",
            message);
    }

    [Fact]
    public void StoppingLeavesNothingBehind()
    {
        using var folder = new TemporaryFolder();
        using var stop = new CancellationTokenSource();
        var shares = new List<double>();
        var progress = new Reports(share =>
        {
            shares.Add(share);
            if (share > 0.5)
            {
                stop.Cancel();
            }
        });
        Assert.Throws<OperationCanceledException>(() => PackedFile.Write(folder["m"], PackedModels.Model(), true, progress, stop.Token));
        Assert.Empty(Directory.GetFiles(folder.Root));
        Assert.Equal(shares.Order(), shares);

        shares.Clear();
        PackedFile.Write(folder["m"], PackedModels.Model(), true, new Reports(shares.Add), Cancelled);
        Assert.Equal(1, shares[^1]);
    }

    [Fact]
    public void ShardsOfPackedLayersAreOneModel()
    {
        using var folder = new TemporaryFolder();
        Dictionary<string, WeightTensor> all = PackedModels.Read(folder.Pack("m", PackedModels.Model()));
        string[] shards = ["s1.safetensors", "s2.safetensors"];
        var map = new Dictionary<string, string>();

        // A layer's words in one, its scales in the other: both are held. Alone, or each is aligned.
        foreach ((string shard, string name) in shards.Zip(["a.weight_r16k8", "a.scales_r16k8"]))
        {
            var one = new Dictionary<string, WeightTensor> { [name] = all[name] };
            map[name] = shard;
            if (shard == shards[0])
            {
                (one["a.shape_r16k8"], map["a.shape_r16k8"]) = (all["a.shape_r16k8"], shard);
            }

            WriteAligned(folder[shard], one);
        }

        File.WriteAllText(folder["model.safetensors.index.json"], System.Text.Json.JsonSerializer.Serialize(new { weight_map = map }));
        Linear4Bit layer;
        using (SafetensorsModel model = SafetensorsModel.Open(folder.Root))
        {
            layer = Linear4Bit.Load(model, "a");
        }

        using (layer)
        {
            Assert.True(layer.IsMapped);
            layer.Forward(new float[64], new float[48]);
        }

        WriteAligned(folder[shards[1]], new() { ["a.scales_r16k8"] = all["a.scales_r16k8"] }, "R16K9");
        Assert.Contains("different q4gen_layouts, 'R16K8' and 'R16K9'", Assert.Throws<WeightFormatException>(() => SafetensorsModel.Open(folder.Root)).Message);

        static void WriteAligned(string path, Dictionary<string, WeightTensor> tensors, string layout = "R16K8")
        {
            // Facts of some length bring the data to where it must start.
            for (int spaces = 0; ; spaces++)
            {
                SafetensorsWriter.Write(path, tensors, new Dictionary<string, string>(PackedModels.Metadata(layout)) { ["x"] = new(' ', spaces) });
                if ((new FileInfo(path).Length - tensors.Values.Sum(static tensor => tensor.ByteLength)) % 64 == 0)
                {
                    return;
                }

                File.Delete(path);
            }
        }
    }

    /// <summary>Reports at once, unlike Progress.</summary>
    private sealed class Reports(Action<double> report) : IProgress<double>
    {
        public void Report(double value) => report(value);
    }
}

[Linear4Bit(In = 64, Out = 48, Group = 32, Bias = true)]
internal sealed partial class PackedTestUp;

internal sealed partial class PackedTestBlock
{
    [Linear4Bit(In = 64, Out = 48, Group = 32, Bias = true)]
    public partial Linear4Bit UpProj { get; }

    [Linear4Bit(In = 48, Out = 17, Group = 32, Affine = true)]
    public partial Linear4Bit Down { get; }
}

[Linear4BitModel]
internal sealed partial class PackedTestModel
{
    public PackedTestBlock[] Blocks { get; set; } = null!;
}
