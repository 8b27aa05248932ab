using System.Text.Json;
using Storyteller;
using Storyteller.Decoding;
using Storyteller.Scoring;
using Storyteller.Text;

namespace Q4Gen.Tests.Examples;

/// <summary>The embedded model: as good as when it was trained, and nearly so in 4 bits.</summary>
public sealed class StoryModelTests
{
    // Measured when the model was trained, in windows of 256.
    private const double TrainedNats = 2.396;

    private const string Text = """
        Once upon a time, there was a little girl named Lily. She loved to play outside in the park with her friends.
        One day, Lily saw a big red ball. "Look, mom!" she said. "I want to play with the ball." Her mom smiled and said,
        "Yes, you can play with it, but be careful." Lily was very happy. She ran to the ball and kicked it up to the sky.
        <|endoftext|>
        Tim had a dog. The dog was big and brown, and it liked to run. They went to the lake, and Tim threw a stick.
        """;

    [Fact]
    public void F16_scores_as_when_it_was_trained()
    {
        int[] stream = HeldOut();

        Score score = ScoreStream(EmbeddedModel.LoadF16(), stream);

        Assert.InRange(score.NatsPerToken, TrainedNats - 0.005, TrainedNats + 0.005);
        Assert.Equal(52 * 256, score.Tokens);
    }

    [Fact]
    public void Larger_groups_cost_more_but_little()
    {
        int[] stream = HeldOut()[..(12 * StoryModel.Config.Context + 1)];
        double f16 = ScoreStream(EmbeddedModel.LoadF16(), stream).NatsPerToken;

        double[] cost = [.. new[] { 32, 64, 128 }.Select(group =>
        {
            using StoryModel model = EmbeddedModel.Load4Bit(group);
            return ScoreStream(model.ToDecoderWeights(layer => layer.Forward), stream).NatsPerToken - f16;
        })];

        Assert.InRange(cost[0], 0.005, 0.03);
        Assert.InRange(cost[1], cost[0], 0.04);
        Assert.InRange(cost[2], cost[1], 0.05);
    }

    [Theory]
    [InlineData(32)]
    [InlineData(64)]
    [InlineData(128)]
    public void Fused_and_unpacked_agree(int group)
    {
        int[] stream = EmbeddedModel.CreateTokenizer().EncodeStories(Text);
        using StoryModel model = EmbeddedModel.Load4Bit(group);

        Score fused = ScoreStream(model.ToDecoderWeights(layer => layer.Forward), stream);
        Score unpacked = ScoreStream(model.ToDecoderWeights(layer => layer.ForwardUnpack), stream);

        Assert.InRange(fused.RelativeDifference(unpacked), 0, 1e-4);
    }

    [Fact]
    public void Declared_group_runs_on_generated_kernels()
    {
        using StoryModel model = EmbeddedModel.Load4Bit();

        Assert.Equal(7 * StoryModel.Config.Layers, model.Layers.Count());
        Assert.All(model.Layers, layer => Assert.True(layer.Kernel.IsGenerated, layer.ToString()));
        Assert.All(model.Layers, layer => Assert.Equal(StoryModel.DeclaredGroup, layer.Group));
    }

    [Theory]
    [InlineData(64)]
    [InlineData(128)]
    public void Layers_of_another_group_take_the_place_of_the_declared_ones(int group)
    {
        using StoryModel model = EmbeddedModel.Load4Bit(group);

        Assert.All(model.Layers, layer => Assert.Equal(group, layer.Group));
    }

    [Fact]
    public void A_layer_of_another_shape_is_refused()
    {
        using StoryModel model = EmbeddedModel.Load4Bit();
        Mlp mlp = model.Blocks[0].Mlp;

        Assert.Throws<ArgumentException>(() => mlp.GateProj = mlp.DownProj);
    }

    [Fact]
    public void A_missing_tensor_is_named_and_nothing_is_loaded()
    {
        using SafetensorsFile weights = EmbeddedModel.OpenWeights();
        Dictionary<string, WeightTensor> tensors = new();
        foreach (string name in weights.Names.Where(name => name != "model.layers.3.post_attention_layernorm.weight"))
        {
            Assert.True(weights.TryGet(name, out WeightTensor? tensor));
            tensors.Add(name, tensor);
        }

        TensorDictionary quantized = Linear4BitQuantizer.QuantizeModel(
            new TensorDictionary(tensors),
            StoryModel.DeclaredGroup,
            name => name.EndsWith("_proj", StringComparison.Ordinal),
            ct: TestContext.Current.CancellationToken);
        var model = new StoryModel();

        WeightFormatException exception = Assert.Throws<WeightFormatException>(() => model.Load(quantized));

        Assert.Contains("model.layers.3.post_attention_layernorm.weight", exception.Message, StringComparison.Ordinal);
        Assert.Empty(model.Embedding);
        Assert.Empty(model.Blocks[0].InputNorm);
        Assert.Throws<InvalidOperationException>(() => model.Blocks[0].SelfAttn.QProj);
    }

    [Fact]
    public void Config_is_that_of_the_file()
    {
        using Stream stream = typeof(StoryModel).Assembly.GetManifestResourceStream("config.json")!;
        using JsonDocument json = JsonDocument.Parse(stream);
        int Value(string name) => json.RootElement.GetProperty(name).GetInt32();

        var expected = new DecoderConfig(
            Value("hidden_size"), Value("intermediate_size"), Value("num_hidden_layers"), Value("num_attention_heads"),
            Value("num_key_value_heads"), Value("vocab_size"), Value("max_position_embeddings"))
        {
            NormEpsilon = json.RootElement.GetProperty("rms_norm_eps").GetSingle(),
            RotaryBase = json.RootElement.GetProperty("rope_theta").GetSingle(),
        };

        Assert.Equal(expected, StoryModel.Config);
        Assert.Equal(Value("head_dim"), StoryModel.Config.HeadSize);
        Assert.Equal(StoryTokenizer.EndOfText, Value("eos_token_id"));
    }

    private static int[] HeldOut()
    {
        string text = File.ReadAllText(SharedFiles.Find("corpora", "storyteller-heldout.txt"));
        return EmbeddedModel.CreateTokenizer().EncodeStories(text);
    }

    private static Score ScoreStream(DecoderWeights weights, int[] stream) =>
        new Scorer(new Decoder(StoryModel.Config, weights)).ScoreStream(stream);
}
