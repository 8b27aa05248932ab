using Storyteller.Decoding;
using Storyteller.Scoring;

namespace Q4Gen.Tests.Examples;

/// <summary>
/// Perplexities that were measured elsewhere, of models that were trained elsewhere: what the decoder, the quantiser and
/// the kernels compute together is right, ragged last groups included (172 columns in groups of 32, 64 and 128).
/// </summary>
public sealed class ReferencePerplexityTests
{
    [Theory]
    [InlineData("stories260K", null, 3.533)]
    [InlineData("stories260K", 32, 3.879)]
    [InlineData("stories260K", 64, 4.022)]
    [InlineData("stories260K", 128, 4.046)]
    [InlineData("babyllama-tok105", null, 2.026)]
    [InlineData("babyllama-tok105", 32, 2.109)]
    [InlineData("babyllama-tok105", 64, 2.132)]
    [InlineData("babyllama-tok105", 128, 2.150)]
    public void Perplexity_is_the_reference(string model, int? group, double expected)
    {
        double perplexity = PerplexityModel.Open(model).Score(group is { } size ? Fused(size) : Dense).Perplexity;

        Assert.InRange(perplexity, expected * 0.99, expected * 1.01);
    }

    [Theory]
    [InlineData("stories260K", 32)]
    [InlineData("stories260K", 64)]
    [InlineData("stories260K", 128)]
    [InlineData("babyllama-tok105", 64)]
    public void Fused_and_unpacked_agree(string model, int group)
    {
        PerplexityModel opened = PerplexityModel.Open(model);
        Score fused = opened.Score(Fused(group), windows: 2);
        Score unpacked = opened.Score(Unpacked(group), windows: 2);

        Assert.InRange(fused.RelativeDifference(unpacked), 0, 1e-4);
    }

    private static LinearOp Dense(float[] weight, int inFeatures) => new DenseLinear(weight, inFeatures).Forward;

    private static Func<float[], int, LinearOp> Fused(int group) =>
        (weight, inFeatures) => Quantize(weight, inFeatures, group).Forward;

    private static Func<float[], int, LinearOp> Unpacked(int group) =>
        (weight, inFeatures) => Quantize(weight, inFeatures, group).ForwardUnpack;

    private static Linear4Bit Quantize(float[] weight, int inFeatures, int group) =>
        Linear4Bit.Quantize(WeightTensor.FromSingle(weight, weight.Length / inFeatures, inFeatures), group);
}
