namespace Q4Gen.Tests.Runtime;

/// <summary>Quantising a whole model.</summary>
public sealed class QuantizerModelTests
{
    private static readonly Func<string, bool> s_isLinear = name => name.EndsWith("_proj", StringComparison.Ordinal);

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public void LinearLayersAreReplacedAndAllElsePassesThrough()
    {
        Dictionary<string, WeightTensor> tensors = Model();
        var errors = new List<string>();
        TensorDictionary quantized = Linear4BitQuantizer.QuantizeModel(
            Source(tensors, ("format", "pt")), 64, s_isLinear, ct: Cancelled,
            onMatrix: (name, matrix) => errors.Add($"{name} {matrix.Shape}"));
        Assert.Equal(
            ["embed.weight", "a.q_proj.weight_4bit", "a.q_proj.scales_4bit", "a.q_proj.bias", "a.norm_proj.weight", "b.k_proj.weight_4bit", "b.k_proj.scales_4bit"],
            quantized.Names);
        Assert.Equal(["a.q_proj 128→6 g64", "b.k_proj 128→32 g64"], errors);
        Assert.Equal("64", quantized.Metadata["group_size"]);
        Assert.Equal("pt", quantized.Metadata["format"]);
        foreach (string name in new[] { "embed.weight", "a.q_proj.bias", "a.norm_proj.weight" })
        {
            Assert.True(quantized.TryGet(name, out WeightTensor? tensor));
            Assert.Same(tensors[name], tensor);
        }

        QuantizedMatrix alone = Linear4BitQuantizer.Quantize(tensors["a.q_proj.weight"], 64, ct: Cancelled);
        Assert.True(quantized.TryGet("a.q_proj.weight_4bit", out WeightTensor? weight));
        Assert.True(weight.Bytes(0, 6 * 64).SequenceEqual(alone.WeightSpan));
    }

    [Fact]
    public void TheResultIsAFileThatLayersLoadFrom()
    {
        using var folder = new TemporaryFolder();
        Dictionary<string, WeightTensor> tensors = Model();
        TensorDictionary quantized = Linear4BitQuantizer.QuantizeModel(Source(tensors), 96, s_isLinear, ct: Cancelled);
        SafetensorsWriter.Write(folder["model.safetensors"], quantized);
        using SafetensorsFile file = SafetensorsFile.Open(folder["model.safetensors"]);
        using Linear4Bit layer = Linear4Bit.Load(file, "a.q_proj");

        // 128 columns in 2 groups would be taken for 64 each, were the group not recorded.
        Assert.Equal(new Linear4BitShape(128, 6, 96), layer.Shape);
        QuantizedMatrix alone = Linear4BitQuantizer.Quantize(tensors["a.q_proj.weight"], 96, ct: Cancelled);
        var weight = new byte[6 * 64];
        layer.CopyWeight4Bit(weight);
        Assert.True(alone.WeightSpan.SequenceEqual(weight));
        Assert.True(layer.HasBias);
    }

    [Fact]
    public void ProgressCountsTheWholeModel()
    {
        var shares = new List<double>();
        Linear4BitQuantizer.QuantizeModel(Source(Model()), 64, s_isLinear, new Collect(shares.Add), Cancelled);
        Assert.Equal(shares.Order(), shares);
        Assert.Contains(shares, share => share < 1);
        Assert.Equal(1, shares[^1]);
    }

    [Fact]
    public void ErrorsNameSourceAndTensor()
    {
        Dictionary<string, WeightTensor> tensors = Model();
        tensors["b.k_proj.weight"] = WeightTensor.FromSingle([1, float.NaN], 1, 2);
        AssertRefused(Source(tensors), "'b.k_proj.weight' of a test model", "element [0, 1] is NaN");
        tensors["b.k_proj.weight"] = WeightTensor.FromSingle([1, 2, 3], 1, 3);
        AssertRefused(Source(tensors), "'b.k_proj.weight' of a test model", "In = 3 is odd");
    }

    [Fact]
    public void AModelWithoutLinearLayersIsAnError()
    {
        Dictionary<string, WeightTensor> tensors = Model();
        tensors.Remove("a.q_proj.weight");
        tensors.Remove("b.k_proj.weight");
        AssertRefused(Source(tensors), "a test model", "no matrix to quantise");
    }

    [Fact]
    public void AModelThatIsPartlyInFourBitsMustAgree()
    {
        Dictionary<string, WeightTensor> tensors = Model();
        AssertRefused(Source(tensors, ("group_size", "32")), "records group_size", "quantise with that group");
        Assert.Equal("64", Linear4BitQuantizer.QuantizeModel(
            Source(tensors, ("group_size", "64")), 64, s_isLinear, ct: Cancelled).Metadata["group_size"]);
        tensors["a.q_proj.scales_4bit"] = WeightTensor.FromHalf([default], 1, 1);
        AssertRefused(Source(tensors), "'a.q_proj.scales_4bit'", "remove one of the two");
    }

    [Fact]
    public void ArgumentsAreChecked()
    {
        Assert.Throws<ArgumentOutOfRangeException>("group", () => Linear4BitQuantizer.QuantizeModel(Source(Model()), 0, s_isLinear, ct: Cancelled));
        Assert.Throws<ArgumentNullException>("source", () => Linear4BitQuantizer.QuantizeModel(null!, 64, s_isLinear, ct: Cancelled));
        Assert.Throws<ArgumentNullException>("isLinear", () => Linear4BitQuantizer.QuantizeModel(Source(Model()), 64, null!, ct: Cancelled));
    }

    private static void AssertRefused(IWeightSource source, string found, string expected)
    {
        string message = Assert.Throws<WeightFormatException>(() => Linear4BitQuantizer.QuantizeModel(source, 64, s_isLinear, ct: Cancelled)).Message;
        Assert.Contains(found, message, StringComparison.Ordinal);
        Assert.Contains(expected, message, StringComparison.Ordinal);
    }

    private static TensorDictionary Source(Dictionary<string, WeightTensor> tensors, params (string Key, string Value)[] metadata) =>
        new(tensors, "a test model", metadata.ToDictionary(pair => pair.Key, pair => pair.Value));

    private static Dictionary<string, WeightTensor> Model() => new()
    {
        ["embed.weight"] = WeightTensor.FromSingle(Linear4BitSample.Input(10 * 128), 10, 128),
        ["a.q_proj.weight"] = WeightTensor.FromSingle(Linear4BitSample.Input(6 * 128), 6, 128),
        ["a.q_proj.bias"] = WeightTensor.FromSingle(Linear4BitSample.Input(6), 6),
        ["a.norm_proj.weight"] = WeightTensor.FromSingle(Linear4BitSample.Input(128), 128),
        ["b.k_proj.weight"] = WeightTensor.FromSingle(Linear4BitSample.Input(32 * 128), 32, 128),
    };

    private sealed class Collect(Action<double> report) : IProgress<double>
    {
        public void Report(double value) => report(value);
    }
}
