using System.Numerics.Tensors;
using Storyteller.Decoding;

namespace Storyteller.Scoring;

/// <summary>How well a model foresees a text: nats, natural-log units of surprise; its exponential is the perplexity.</summary>
/// <param name="Nats">Sum over all scored tokens of −ln p(token | tokens before it in its window).</param>
/// <param name="Tokens">Scored tokens.</param>
public readonly record struct Score(double Nats, int Tokens)
{
    /// <summary>Mean surprise.</summary>
    public double NatsPerToken => Nats / Tokens;

    /// <summary>exp of the mean surprise.</summary>
    public double Perplexity => Math.Exp(NatsPerToken);

    /// <summary>|a − b| / b of the mean surprises.</summary>
    public double RelativeDifference(Score other) => Math.Abs(NatsPerToken - other.NatsPerToken) / other.NatsPerToken;

    /// <summary>Both scores together.</summary>
    public static Score operator +(Score a, Score b) => new(a.Nats + b.Nats, a.Tokens + b.Tokens);
}

/// <summary>Scores token streams with a decoder.</summary>
/// <param name="decoder">The model; its memory of tokens is cleared.</param>
public sealed class Scorer(Decoder decoder)
{
    private readonly float[] _logits = new float[decoder.Config.Context * decoder.Config.Vocabulary];

    /// <summary>
    /// Scores a stream in consecutive windows of the model's context: in each, the model reads up to <c>context</c>
    /// tokens as one batch and is asked for the token after each of them.
    /// </summary>
    /// <remarks>
    /// A shorter window at the end is left out, because it would weigh tokens with little before them more than the
    /// others do; it is scored where it is the only one.
    /// </remarks>
    public Score ScoreStream(ReadOnlySpan<int> stream)
    {
        int context = decoder.Config.Context;
        if (stream.Length <= context)
        {
            return ScoreWindow(stream);
        }

        Score total = default;
        for (int start = 0; start + context < stream.Length; start += context)
        {
            total += ScoreWindow(stream.Slice(start, context + 1));
        }

        return total;
    }

    /// <summary>Scores every token but the first, each seen from all before it; at most <c>context + 1</c> tokens.</summary>
    public Score ScoreWindow(ReadOnlySpan<int> tokens)
    {
        ReadOnlySpan<int> inputs = tokens[..^1];
        int vocabulary = decoder.Config.Vocabulary;
        Span<float> logits = _logits.AsSpan(0, inputs.Length * vocabulary);
        decoder.Reset();
        decoder.Logits(decoder.Forward(inputs), logits);

        double nats = 0;
        for (int i = 0; i < inputs.Length; i++)
        {
            nats -= LogProbability(logits.Slice(i * vocabulary, vocabulary), tokens[i + 1]);
        }

        return new Score(nats, inputs.Length);
    }

    private static double LogProbability(Span<float> logits, int token)
    {
        float largest = TensorPrimitives.Max<float>(logits);
        float chosen = logits[token] - largest;
        TensorPrimitives.Subtract(logits, largest, logits);
        TensorPrimitives.Exp<float>(logits, logits);
        return chosen - Math.Log(TensorPrimitives.Sum<float>(logits));
    }
}
