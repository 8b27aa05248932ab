using Q4Gen.Import;
using Q4Gen.Import.Packed;
using Q4Gen.Tests.Kernels;
using Q4Gen.Tests.Runtime;

namespace Q4Gen.Tests.Import;

/// <summary>
/// GPTQ and compressed-tensors with act-order against what their weights are, decoded here as the formats define them:
/// <c>w[o, k] = (q[o, k] − zero[o, g_idx[k]]) · scale[o, g_idx[k]]</c>, for input feature k.
/// </summary>
public class ActOrderTests
{
    private const int Group = 32;

    public static TheoryData<string, bool> Formats => new()
    {
        { "GPTQ v1", true }, { "GPTQ v1", false }, { "GPTQ v2", false }, { "compressed-tensors", true }, { "compressed-tensors", false },
    };

    [Theory]
    [MemberData(nameof(Formats))]
    public void ColumnsAreSortedByGroup(string format, bool symmetric)
    {
        var packed = new PackedLayers(104, 24, Group, seed: 61, symmetric);
        int[] groups = Groups(104, 62);
        using ImportSource source = Open(format, packed, groups);
        ImportedLayer layer = Assert.Single(source.Layers);
        Assert.Equal((true, !symmetric), (layer.HasInputOrder, layer.IsAffine));
        Assert.Contains(symmetric ? ", input order, lossless" : ", affine, input order, not converted yet", layer.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain(source.Names, static name => name.EndsWith("g_idx", StringComparison.Ordinal));

        // Stable: of one group in the order of input features.
        int[] order = [.. Enumerable.Range(0, 104).OrderBy(k => groups[k])];
        WeightTensor tensor = source.Get("a.order_4bit");
        Assert.Equal("I32 [104]", tensor.ToString());
        Assert.Equal(order.SelectMany(BitConverter.GetBytes), tensor.AllBytes());
        double[,] ours = source.Weights("a", Group);
        double[,] byInput = new double[24, 104];
        for (int o = 0; o < 24; o++)
        {
            for (int k = 0; k < 104; k++)
            {
                byInput[o, order[k]] = ours[o, k];
                Assert.Equal(Weight(o, order[k]), ours[o, k], symmetric ? 0 : 1.3e-4);
            }
        }

        ImportChecks.AssertError(layer, byInput, Weight);

        // The layer computes what the file means, and so does its copy in a file.
        using var folder = new TemporaryFolder();
        SafetensorsWriter.Write(folder["model.safetensors"], source);
        using SafetensorsModel model = SafetensorsModel.Open(folder["model.safetensors"]);
        using Linear4Bit fromFile = Linear4Bit.Load(model, "a");
        using Linear4Bit direct = Linear4Bit.Load(source, "a");
        Assert.True(direct.HasInputOrder && fromFile.HasInputOrder);
        float[] x = LayerData.RandomInput(3 * 104, seed: 63, InputKind.Centred);
        var y = new float[3 * 24];
        direct.Forward(x, y);
        for (int i = 0; i < y.Length; i++)
        {
            double expected = Enumerable.Range(0, 104).Sum(k => x[i / 24 * 104 + k] * Weight(i % 24, k));
            Assert.Equal(expected, y[i], symmetric ? 1e-5 : 5e-3);
        }

        var again = new float[y.Length];
        fromFile.Forward(x, again);
        Assert.Equal(y, again);

        double Weight(int o, int k) => (packed.Code(o, k) - packed.Zero(o, groups[k])) * packed.Scale(o, groups[k]);
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void AnOrderThatChangesNothingIsNotKept(string format, bool symmetric)
    {
        var packed = new PackedLayers(104, 24, Group, seed: 64, symmetric);
        using ImportSource source = Open(format, packed, [.. Enumerable.Range(0, 104).Select(static k => k / Group)]);
        Assert.False(source.Layers[0].HasInputOrder);
        Assert.DoesNotContain("a.order_4bit", source.Names);
        ImportChecks.AssertError(source.Layers[0], source.Weights("a", Group), packed.Weight);
    }

    /// <summary>What compressed-tensors leaves where it set no groups; in GPTQ it is a mistake.</summary>
    [Fact]
    public void GroupsThatWereNotSetAreInOrder()
    {
        var packed = new PackedLayers(96, 24, Group, seed: 65);
        int[] unset = [.. Enumerable.Repeat(-1, 96)];
        using ImportSource source = Open("compressed-tensors", packed, unset);
        Assert.False(source.Layers[0].HasInputOrder);
        ImportChecks.AssertError(source.Layers[0], source.Weights("a", Group), packed.Weight);
        Assert.Contains("'a.g_idx' puts column 0 into group -1, but there are 3", ImportChecks.Rejected(() => Open("GPTQ v1", packed, unset)), StringComparison.Ordinal);
        unset[7] = 0;
        Assert.Contains("'a.weight_g_idx' puts column 0 into group -1", ImportChecks.Rejected(() => Open("compressed-tensors", packed, unset)), StringComparison.Ordinal);
    }

    [Fact]
    public void GroupsOfOtherSizesAreRefused()
    {
        var packed = new PackedLayers(104, 24, Group, seed: 66);
        int[] groups = Groups(104, 67);
        groups[Array.IndexOf(groups, 1)] = 2;
        Assert.Contains(
            "'a.g_idx' puts 31 columns into group 1, but groups of one size are expected, 32 columns here;",
            ImportChecks.Rejected(() => Open("GPTQ v1", packed, groups)), StringComparison.Ordinal);
        Assert.Contains("puts 104 columns into group 0", ImportChecks.Rejected(() => Open("compressed-tensors", packed, new int[104])), StringComparison.Ordinal);
        groups = Groups(104, 68);
        groups[0] = 4;
        Assert.Contains("puts column 0 into group 4, but there are 4", ImportChecks.Rejected(() => Open("GPTQ v2", packed, groups)), StringComparison.Ordinal);
    }

    /// <summary>Groups of 32 in any order, the last one shorter.</summary>
    private static int[] Groups(int columns, int seed) => [.. InputOrderTests.Order(columns, seed).Select(static k => k / Group)];

    private static ImportSource Open(string format, PackedLayers packed, int[] groups)
    {
        var index = WeightTensor.FromInt32(groups, groups.Length);
        if (format == "compressed-tensors")
        {
            Dictionary<string, WeightTensor> tensors = packed.CompressedTensors("a", withZeros: packed.Zero(0, 0) != 8 || packed.Zero(1, 0) != 8);
            tensors["a.weight_g_idx"] = index;
            return CompressedTensorsSource.From(new TensorDictionary(tensors, "made"), Group);
        }

        bool v1 = format == "GPTQ v1";
        return GptqSource.From(new TensorDictionary(packed.Gptq("a", v1, groups), "made"), v1 ? GptqFormat.V1 : GptqFormat.V2, Group);
    }
}
