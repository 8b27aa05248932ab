using CsCheck;
using Q4Gen.Tests.Kernels;

namespace Q4Gen.Tests.Runtime;

/// <summary>Small models to pack: ragged layers with and without each part, and tensors that are no layers.</summary>
internal static class PackedModels
{
    /// <summary>A layer of random contents, with its parts where they are asked for.</summary>
    public static Dictionary<string, WeightTensor> Layer(string prefix, Linear4BitShape shape, bool bias, bool affine, bool order, int seed)
    {
        Dictionary<string, WeightTensor> tensors = SafetensorsTestFiles.Layer(prefix, shape.In, shape.Out, shape.Group, bias, seed);
        if (affine)
        {
            tensors[SafetensorsTestFiles.Join(prefix, "offsets_4bit")] = WeightTensor.FromHalf(AffineTests.Offsets(shape, seed + 1), shape.Out, shape.Groups);
        }

        if (order)
        {
            int[] columns = [.. Enumerable.Range(0, shape.In)];
            new Random(seed + 2).Shuffle(columns);
            tensors[SafetensorsTestFiles.Join(prefix, "order_4bit")] = WeightTensor.FromInt32(columns, shape.In);
        }

        return tensors;
    }

    /// <summary>Layers of one group size, an embedding, a norm and a number of bytes that nothing is aligned to.</summary>
    public static TensorDictionary Model(int group = 16, int seed = 1)
    {
        var tensors = new Dictionary<string, WeightTensor>
        {
            ["embed.weight"] = WeightTensor.FromHalf([.. SafetensorsTestFiles.Randoms(70, seed).Select(static value => (Half)value)], 7, 10),
            ["norm.weight"] = WeightTensor.FromSingle(SafetensorsTestFiles.Randoms(5, seed), 5),
            ["mask"] = WeightTensor.FromByte([1, 2, 3], 3),
            ["steps"] = new WeightTensor(TensorType.I64, [1], new byte[8]),
        };
        (string Prefix, int In, int Out, bool Bias, bool Affine, bool Order)[] layers =
        [
            ("a", 64, 48, true, false, false), ("b.c", 34, 17, true, true, true), ("b.d", 130, 5, false, true, false), ("b.e", 2, 1, false, false, true), ("", 24, 33, false, false, false),
        ];
        foreach ((string prefix, int inFeatures, int outFeatures, bool bias, bool affine, bool order) in layers)
        {
            foreach ((string name, WeightTensor tensor) in Layer(prefix, new(inFeatures, outFeatures, group), bias, affine, order, seed++))
            {
                tensors.Add(name, tensor);
            }
        }

        return new TensorDictionary(tensors, "made", SafetensorsWriter.DescribeGroup(group));
    }

    /// <summary>The layers' names in <see cref="Model"/>.</summary>
    public static string[] Prefixes => ["a", "b.c", "b.d", "b.e", ""];

    /// <summary>Random shapes, with parts by turns.</summary>
    public static IEnumerable<(Linear4BitShape Shape, bool Bias, bool Affine, bool Order)> Cases(int count) =>
        Linear4BitSample.Take(Linear4BitSample.Shapes, count, seed: 20261124)
            .Select(static (shape, i) => (shape, i % 2 == 0, i % 3 == 0, i % 5 == 0));

    /// <summary>Writes a packed file and returns its path.</summary>
    public static string Pack(this TemporaryFolder folder, string name, IWeightSource source, bool withHashes = false)
    {
        PackedFile.Write(folder[name], source, withHashes, progress: null, TestContext.Current.CancellationToken);
        return folder[name];
    }

    /// <summary>The tensors of a file in memory, to change some of them.</summary>
    public static Dictionary<string, WeightTensor> Read(string path)
    {
        using SafetensorsFile file = SafetensorsFile.Open(path);
        return file.Names.ToDictionary(static name => name, name => Copy(Import.ImportChecks.Get(file, name)));

        static WeightTensor Copy(WeightTensor tensor) => new(tensor.Type, [.. tensor.Shape], tensor.AllBytes());
    }

    /// <summary>What a packed file records.</summary>
    public static Dictionary<string, string> Metadata(string layout = "R16K8") => new() { [PackedFile.LayoutKey] = layout };

    /// <summary>Asserts that two layers hold the same and compute the same bits on every kernel that there is.</summary>
    public static void AssertSame(Linear4Bit expected, Linear4Bit found, string what)
    {
        Assert.Equal((expected.Shape, expected.HasBias, expected.IsAffine, expected.HasInputOrder), (found.Shape, found.HasBias, found.IsAffine, found.HasInputOrder));
        Dictionary<string, WeightTensor> ours = expected.ToTensors("p"), theirs = found.ToTensors("p");
        Assert.Equal(ours.Keys.Order(), theirs.Keys.Order());
        Assert.All(ours, part => Assert.Equal(part.Value.AllBytes(), theirs[part.Key].AllBytes()));
        float[] x = Linear4BitSample.Input(17 * expected.In, seed: 3);
        foreach (Linear4BitPrecision precision in Enum.GetValues<Linear4BitPrecision>())
        {
            using Linear4Bit left = expected.CloneFor(precision), right = found.CloneFor(precision);
            foreach (KernelIsa isa in Enum.GetValues<KernelIsa>())
            {
                using Linear4Bit? one = left.CloneFor(isa), other = right.CloneFor(isa);
                Assert.Equal(one is null, other is null);
                foreach (int rows in one is null ? [] : (int[])[1, 3, 17])
                {
                    ReadOnlySpan<float> some = x.AsSpan(0, rows * expected.In);
                    Assert.True(ThreadChecks.Run(one!, some).AsSpan().SequenceEqual(ThreadChecks.Run(other!, some)), $"{what}, {one!.Kernel}, {rows} rows");
                }
            }
        }

        float[] plain = new float[3 * expected.Out], packed = new float[3 * expected.Out];
        expected.ForwardUnpack(x.AsSpan(0, 3 * expected.In), plain);
        found.ForwardUnpack(x.AsSpan(0, 3 * expected.In), packed);
        Assert.Equal(plain, packed);
    }
}
