using Q4Gen.Gpu;
using Q4Gen.Tests.Kernels;
using Storyteller;
using Storyteller.Decoding;
using Storyteller.Gpu;

namespace Q4Gen.Tests.Examples;

/// <summary>The decoder's layers on the emulated GPU, beside the same layers on the processor.</summary>
[Trait(Emulated.Trait, Emulated.Never)] // An emulated GPU on an emulated processor takes minutes.
public sealed class GpuLinearTests : IDisposable
{
    private readonly GpuContext _gpu = GpuContext.CreateEmulated();

    public void Dispose() => _gpu.Dispose();

    /// <summary>A prompt, tokens one by one, then another prompt: tensors are exchanged as the number of rows changes.</summary>
    [Fact]
    public void Agrees_with_the_processor_for_any_number_of_rows()
    {
        using Linear4Bit layer = LayerData.Random(new Linear4BitShape(64, 48, 32), seed: 1).CreateLayer();
        using var linear = new GpuLinear(layer, _gpu);
        foreach (int rows in (int[])[5, 1, 1, 3])
        {
            float[] x = LayerData.RandomInput(rows * layer.In, seed: rows);
            var expected = new float[rows * layer.Out];
            layer.Forward(x, expected);
            var actual = new float[rows * layer.Out];

            linear.Forward(x, actual);

            AssertClose(actual, expected);
        }
    }

    [Fact]
    public void A_result_of_another_length_is_refused()
    {
        using Linear4Bit layer = LayerData.Random(new Linear4BitShape(64, 48, 32), seed: 1).CreateLayer();
        using var linear = new GpuLinear(layer, _gpu);

        Assert.Throws<ArgumentException>(() => linear.Forward(new float[64], new float[47]));
        Assert.Throws<ArgumentException>(() => linear.Forward(new float[65], new float[48]));
    }

    [Fact]
    public void The_weights_on_the_gpu_are_freed_with_the_layer()
    {
        Linear4Bit layer = LayerData.Random(new Linear4BitShape(64, 48, 32), seed: 1).CreateLayer();
        using var linear = new GpuLinear(layer, _gpu);
        Assert.True(layer.IsOn(_gpu));

        layer.Dispose();

        Assert.Throws<ObjectDisposedException>(() => linear.Forward(new float[64], new float[48]));
    }

    /// <summary>A prompt, and a token after it, through the first block: all six would keep an emulated GPU busy for half a minute.</summary>
    [Fact]
    public void A_block_of_the_model_agrees_with_the_processor()
    {
        using StoryModel model = EmbeddedModel.Load4Bit();
        List<GpuLinear> linears = [];
        DecoderWeights weights = model.ToDecoderWeights(layer => layer.Forward);
        DecoderWeights gpuWeights = model.ToDecoderWeights(layer =>
        {
            linears.Add(new GpuLinear(layer, _gpu));
            return linears[^1].Forward;
        });
        var onProcessor = new Decoder(StoryModel.Config, weights with { Blocks = weights.Blocks[..1] });
        var onGpu = new Decoder(StoryModel.Config, gpuWeights with { Blocks = gpuWeights.Blocks[..1] });

        foreach (int[] tokens in (int[][])[[0, 418], [257]])
        {
            AssertClose(onGpu.Forward(tokens), onProcessor.Forward(tokens));
        }

        Assert.Equal(42, linears.Count);
        Assert.All(model.Layers, layer => Assert.StartsWith("Linear4Bit_", layer.GpuKernel(_gpu), StringComparison.Ordinal));
        linears.ForEach(static linear => linear.Dispose());
    }

    private static void AssertClose(ReadOnlySpan<float> actual, ReadOnlySpan<float> expected)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.True(Math.Abs(actual[i] - expected[i]) <= 1e-4f * (1 + Math.Abs(expected[i])), $"element {i}: {actual[i]}, expected {expected[i]}");
        }
    }
}
