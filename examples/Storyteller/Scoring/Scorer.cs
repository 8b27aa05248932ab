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
    /// tokens as one batch and is asked for the token after each of them. All but the first token are scored once.
    /// </summary>
    public Score ScoreStream(ReadOnlySpan<int> stream)
    {
        Score total = default;
        for (int start = 0; start + 1 < stream.Length; start += decoder.Config.Context)
        {
            total += ScoreWindow(stream[start..Math.Min(start + decoder.Config.Context + 1, stream.Length)]);
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
