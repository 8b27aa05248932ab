using System.Numerics.Tensors;

namespace Storyteller.Text;

/// <summary>Draws the next token from logits. The same seed and logits give the same tokens.</summary>
public sealed class Sampler
{
    private readonly Random _random;
    private readonly float _temperature;
    private readonly float _topP;
    private readonly float[] _probabilities;
    private readonly float[] _likely;
    private readonly int[] _tokens;

    /// <summary>A sampler with its own random numbers.</summary>
    /// <param name="vocabulary">Number of logits.</param>
    /// <param name="temperature">Divides the logits: below 1 plainer, above 1 wilder; 0 always takes the likeliest token.</param>
    /// <param name="topP">Draws from the likeliest tokens that together reach this probability; above 0, at most 1.</param>
    /// <param name="seed">Start of the random numbers.</param>
    /// <exception cref="ArgumentOutOfRangeException">The temperature is negative or no number, or top-p is outside (0, 1].</exception>
    public Sampler(int vocabulary, float temperature, float topP, int seed)
    {
        if (!(temperature >= 0) || float.IsInfinity(temperature))
        {
            throw new ArgumentOutOfRangeException(nameof(temperature), temperature, "The temperature must be 0 or above.");
        }

        if (!(topP > 0 && topP <= 1))
        {
            throw new ArgumentOutOfRangeException(nameof(topP), topP, "Top-p must be above 0 and at most 1.");
        }

        // A seeded Random keeps its sequence across .NET versions.
        _random = new Random(seed);
        _temperature = temperature;
        _topP = topP;
        _probabilities = new float[vocabulary];
        _likely = new float[vocabulary];
        _tokens = new int[vocabulary];
    }

    /// <summary>The next token.</summary>
    public int Next(ReadOnlySpan<float> logits)
    {
        if (_temperature == 0)
        {
            return TensorPrimitives.IndexOfMax(logits);
        }

        // Unnormalised probabilities; the largest is 1, so none overflows.
        Span<float> all = _probabilities;
        TensorPrimitives.Subtract(logits, TensorPrimitives.Max(logits), all);
        TensorPrimitives.Divide(all, _temperature, all);
        TensorPrimitives.Exp(all, all);
        double total = Sum(all);

        // Sorting all tokens would take longer than a layer. Those that are this unlikely do not reach 1 - top-p even
        // together, so that the likelier ones reach top-p without them.
        Span<float> weights = _likely.AsSpan(0, SelectLikely(all, (float)((1 - _topP) * total / all.Length)));
        weights.Sort(_tokens.AsSpan(0, weights.Length));
        TensorPrimitives.Negate(weights, weights);
        int kept = 0;
        double mass = 0;
        while (kept < weights.Length && mass < _topP * total)
        {
            mass += weights[kept++];
        }

        double draw = _random.NextDouble() * mass;
        int chosen = 0;
        for (draw -= weights[0]; draw >= 0 && chosen < kept - 1; draw -= weights[chosen])
        {
            chosen++;
        }

        return _tokens[chosen];
    }

    /// <summary>Tokens of at least so much weight, with the weights' negatives, for sorting puts the smallest first; how many.</summary>
    private int SelectLikely(ReadOnlySpan<float> weights, float least)
    {
        int count = 0;
        for (int token = 0; token < weights.Length; token++)
        {
            if (weights[token] >= least)
            {
                _likely[count] = -weights[token];
                _tokens[count++] = token;
            }
        }

        return count;
    }

    private static double Sum(ReadOnlySpan<float> weights)
    {
        double sum = 0;
        foreach (float weight in weights)
        {
            sum += weight;
        }

        return sum;
    }
}
