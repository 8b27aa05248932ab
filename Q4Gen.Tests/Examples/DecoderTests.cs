using CsCheck;
using Q4Gen.Tests.Kernels;
using Storyteller.Decoding;
using Storyteller.Scoring;

namespace Q4Gen.Tests.Examples;

/// <summary>Batches, the cache and the ring, on small decoders with random weights.</summary>
public sealed class DecoderTests
{
    private static readonly Gen<(DecoderConfig Config, int Seed)> s_decoders =
        from headSize in Gen.Int[1, 4].Select(half => 2 * half)
        from keyValueHeads in Gen.Int[1, 3]
        from queriesPerKey in Gen.Int[1, 3]
        from layers in Gen.Int[1, 3]
        from context in Gen.Int[2, 12]
        from seed in Gen.Int
        select (new DecoderConfig(headSize * keyValueHeads * queriesPerKey, 10, layers, keyValueHeads * queriesPerKey, keyValueHeads, 20, context), seed);

    [Fact]
    public void A_batch_gives_what_its_tokens_give_one_by_one()
    {
        foreach ((DecoderConfig config, int seed) in Cases.Take(s_decoders, 200, seed: 1))
        {
            int[] tokens = Tokens(config.Context, seed);
            Decoder batch = Create(config, seed);
            Decoder single = Create(config, seed);

            float[] together = batch.Forward(tokens).ToArray();

            for (int i = 0; i < tokens.Length; i++)
            {
                AssertClose(single.Forward([tokens[i]]), together.AsSpan(i * config.Width, config.Width));
            }
        }
    }

    [Fact]
    public void A_batch_goes_on_from_what_was_seen_before()
    {
        foreach ((DecoderConfig config, int seed) in Cases.Take(s_decoders, 200, seed: 2))
        {
            int[] tokens = Tokens(config.Context, seed);
            int split = tokens.Length / 2;
            Decoder whole = Create(config, seed);
            Decoder parts = Create(config, seed);

            float[] expected = whole.Forward(tokens).ToArray();
            parts.Forward(tokens.AsSpan(0, split));
            ReadOnlySpan<float> actual = parts.Forward(tokens.AsSpan(split));

            AssertClose(actual, expected.AsSpan(split * config.Width));
        }
    }

    [Fact]
    public void Beyond_the_context_the_last_tokens_decide()
    {
        foreach ((DecoderConfig sampled, int seed) in Cases.Take(s_decoders, 200, seed: 3))
        {
            // In one block, keys depend on their own token alone, so what is out of sight has no influence at all.
            DecoderConfig config = sampled with { Layers = 1 };
            int[] tokens = Tokens(3 * config.Context + 1, seed);
            Decoder endless = Create(config, seed);
            Decoder fresh = Create(config, seed);

            float[] actual = [];
            foreach (int token in tokens)
            {
                actual = endless.Forward([token]).ToArray();
            }

            float[] expected = fresh.Forward(tokens.AsSpan(^config.Context..)).ToArray();
            AssertClose(actual, expected.AsSpan(^config.Width..));
        }
    }

    [Fact]
    public void A_stream_is_scored_window_by_window_and_a_short_rest_left_out()
    {
        var config = new DecoderConfig(8, 10, 2, 2, 1, 20, 4);
        var scorer = new Scorer(Create(config, 1));
        int[] stream = Tokens(11, seed: 2);

        Score score = scorer.ScoreStream(stream);

        Assert.Equal(scorer.ScoreWindow(stream.AsSpan(0, 5)) + scorer.ScoreWindow(stream.AsSpan(4, 5)), score);
        Assert.Equal(8, score.Tokens);
        Assert.Equal(scorer.ScoreWindow(stream.AsSpan(0, 3)), scorer.ScoreStream(stream.AsSpan(0, 3)));
    }

    [Fact]
    public void Reset_forgets()
    {
        var config = new DecoderConfig(8, 10, 2, 2, 1, 20, 6);
        Decoder decoder = Create(config, 1);
        float[] first = decoder.Forward([3, 4]).ToArray();
        Assert.Equal(2, decoder.Position);

        decoder.Reset();

        Assert.Equal(0, decoder.Position);
        Assert.Equal(first, decoder.Forward([3, 4]).ToArray());
    }

    [Fact]
    public void A_batch_beyond_the_context_is_refused()
    {
        Decoder decoder = Create(new DecoderConfig(8, 10, 2, 2, 1, 20, 6), 1);
        decoder.Forward([1, 2, 3]);

        ArgumentException exception = Assert.Throws<ArgumentException>(() => decoder.Forward([1, 2, 3, 4]));

        Assert.Contains("context of 6", exception.Message, StringComparison.Ordinal);
        Assert.Equal(3, decoder.Position);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(20)]
    public void A_token_outside_the_vocabulary_is_refused(int token)
    {
        Decoder decoder = Create(new DecoderConfig(8, 10, 2, 2, 1, 20, 6), 1);

        ArgumentException exception = Assert.Throws<ArgumentException>(() => decoder.Forward([token]));

        Assert.Contains($"Token {token}", exception.Message, StringComparison.Ordinal);
    }

    private static int[] Tokens(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(20))];
    }

    private static Decoder Create(DecoderConfig config, int seed)
    {
        var random = new Random(seed);
        float[] embedding = Values(config.Vocabulary * config.Width);
        DecoderBlock[] blocks = [.. Enumerable.Range(0, config.Layers).Select(_ => new DecoderBlock
        {
            AttentionNorm = Values(config.Width),
            Query = Linear(config.Width, config.Width),
            Key = Linear(config.Width, config.KeyValueWidth),
            Value = Linear(config.Width, config.KeyValueWidth),
            AttentionOutput = Linear(config.Width, config.Width),
            MlpNorm = Values(config.Width),
            Gate = Linear(config.Width, config.MlpWidth),
            Up = Linear(config.Width, config.MlpWidth),
            Down = Linear(config.MlpWidth, config.Width),
        })];
        LinearOp output = new DenseLinear(embedding, config.Width).Forward;
        return new Decoder(config, new DecoderWeights(embedding, blocks, Values(config.Width), output));

        LinearOp Linear(int inFeatures, int outFeatures) => new DenseLinear(Values(inFeatures * outFeatures), inFeatures).Forward;

        float[] Values(int count) => [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() * 2 - 1)];
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
