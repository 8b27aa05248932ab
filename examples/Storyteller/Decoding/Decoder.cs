using System.Numerics.Tensors;

namespace Storyteller.Decoding;

/// <summary>
/// A Llama-style decoder: rotary grouped-query attention and SwiGLU, each behind an RMSNorm. Tokens go in, one or many
/// at a time; hidden states and logits come out. Its memory is allocated once, so generating allocates nothing.
/// </summary>
public sealed class Decoder
{
    private readonly DecoderConfig _config;
    private readonly DecoderWeights _weights;
    private readonly Rotary _rotary;
    private readonly KeyValueCache[] _caches;
    private readonly float[] _hidden;
    private readonly float[] _normed;
    private readonly float[] _query;
    private readonly float[] _key;
    private readonly float[] _value;
    private readonly float[] _mixed;
    private readonly float[] _gate;
    private readonly float[] _up;
    private readonly float[] _scores;

    /// <summary>A decoder at position 0.</summary>
    public Decoder(DecoderConfig config, DecoderWeights weights)
    {
        _config = config;
        _weights = weights;
        _rotary = new Rotary(config);
        _caches = [.. weights.Blocks.Select(_ => new KeyValueCache(config))];
        _hidden = new float[config.Context * config.Width];
        _normed = new float[config.Context * config.Width];
        _query = new float[config.Context * config.Width];
        _key = new float[config.Context * config.KeyValueWidth];
        _value = new float[config.Context * config.KeyValueWidth];
        _mixed = new float[config.Context * config.Width];
        _gate = new float[config.Context * config.MlpWidth];
        _up = new float[config.Context * config.MlpWidth];
        _scores = new float[config.Context];
    }

    /// <summary>The model's sizes.</summary>
    public DecoderConfig Config => _config;

    /// <summary>Tokens seen since the start.</summary>
    public int Position { get; private set; }

    /// <summary>Forgets all tokens.</summary>
    public void Reset() => Position = 0;

    /// <summary>
    /// Reads tokens that follow those seen before; several at once are one batch, so each weight is read once for all of
    /// them. One token at a time may go on for ever: beyond the context the oldest is forgotten.
    /// </summary>
    /// <returns>The last hidden states, <c>[tokens, width]</c>, valid until the next call: input of <see cref="Logits"/>.</returns>
    /// <exception cref="ArgumentException">A token is not in the vocabulary, or several tokens do not fit in the context.</exception>
    public ReadOnlySpan<float> Forward(ReadOnlySpan<int> tokens)
    {
        if (tokens.Length > 1 && Position + tokens.Length > _config.Context)
        {
            throw new ArgumentException(
                $"{tokens.Length} tokens at position {Position} exceed the context of {_config.Context}; give fewer, or one at a time.", nameof(tokens));
        }

        int size = tokens.Length * _config.Width;
        Span<float> hidden = _hidden.AsSpan(0, size);
        Embed(tokens, hidden);
        for (int layer = 0; layer < _weights.Blocks.Length; layer++)
        {
            Attend(_weights.Blocks[layer], _caches[layer], hidden);
            Transform(_weights.Blocks[layer], hidden);
        }

        Position += tokens.Length;
        Normalize(hidden, _weights.FinalNorm, _normed);
        return _normed.AsSpan(0, size);
    }

    /// <summary>One logit a token of the vocabulary for each hidden state: <c>[rows, vocabulary]</c>.</summary>
    public void Logits(ReadOnlySpan<float> hidden, Span<float> logits) => _weights.Output(hidden, logits);

    private void Embed(ReadOnlySpan<int> tokens, Span<float> hidden)
    {
        for (int row = 0; row < tokens.Length; row++)
        {
            int token = tokens[row];
            if ((uint)token >= (uint)_config.Vocabulary)
            {
                throw new ArgumentException($"Token {token} is not in the vocabulary of {_config.Vocabulary}.", nameof(tokens));
            }

            _weights.Embedding.AsSpan(token * _config.Width, _config.Width).CopyTo(hidden[(row * _config.Width)..]);
        }
    }

    /// <summary>hidden += O · attention(norm(hidden)).</summary>
    private void Attend(DecoderBlock block, KeyValueCache cache, Span<float> hidden)
    {
        int rows = hidden.Length / _config.Width;
        Span<float> normed = _normed.AsSpan(0, hidden.Length);
        Span<float> query = _query.AsSpan(0, hidden.Length);
        Span<float> key = _key.AsSpan(0, rows * _config.KeyValueWidth);
        Span<float> value = _value.AsSpan(0, rows * _config.KeyValueWidth);
        Span<float> mixed = _mixed.AsSpan(0, hidden.Length);

        Normalize(hidden, block.AttentionNorm, normed);
        block.Query(normed, query);
        block.Key(normed, key);
        block.Value(normed, value);

        for (int row = 0; row < rows; row++)
        {
            Span<float> q = query.Slice(row * _config.Width, _config.Width);
            Span<float> k = key.Slice(row * _config.KeyValueWidth, _config.KeyValueWidth);
            _rotary.MoveTo(Position + row);
            _rotary.Apply(q);
            _rotary.Apply(k);
            cache.Store(Position + row, k, value.Slice(row * _config.KeyValueWidth, _config.KeyValueWidth));
            Mix(q, cache, cache.Visible(Position + row), mixed.Slice(row * _config.Width, _config.Width));
        }

        block.AttentionOutput(mixed, normed);
        TensorPrimitives.Add(hidden, normed, hidden);
    }

    /// <summary>Each query head's mean of the values it sees, weighted by softmax(query · key / √head size).</summary>
    private void Mix(ReadOnlySpan<float> query, KeyValueCache cache, int visible, Span<float> mixed)
    {
        int queriesPerKey = _config.Heads / _config.KeyValueHeads;
        float scale = 1 / MathF.Sqrt(_config.HeadSize);
        Span<float> scores = _scores.AsSpan(0, visible);
        for (int head = 0; head < _config.Heads; head++)
        {
            int first = head * _config.HeadSize;
            scores.Clear();
            for (int i = 0; i < _config.HeadSize; i++)
            {
                TensorPrimitives.MultiplyAdd(cache.Keys(head / queriesPerKey, i, visible), scale * query[first + i], scores, scores);
            }

            Softmax(scores);
            for (int i = 0; i < _config.HeadSize; i++)
            {
                mixed[first + i] = TensorPrimitives.Dot(cache.Values(head / queriesPerKey, i, visible), scores);
            }
        }
    }

    /// <summary>hidden += Down · (silu(Gate · n) ⊙ (Up · n)), n = norm(hidden).</summary>
    private void Transform(DecoderBlock block, Span<float> hidden)
    {
        int rows = hidden.Length / _config.Width;
        Span<float> normed = _normed.AsSpan(0, hidden.Length);
        Span<float> gate = _gate.AsSpan(0, rows * _config.MlpWidth);
        Span<float> up = _up.AsSpan(0, rows * _config.MlpWidth);

        Normalize(hidden, block.MlpNorm, normed);
        block.Gate(normed, gate);
        block.Up(normed, up);
        TensorPrimitives.Multiply(up, gate, up);
        TensorPrimitives.Sigmoid(gate, gate);
        TensorPrimitives.Multiply(up, gate, up);
        block.Down(up, normed);
        TensorPrimitives.Add(hidden, normed, hidden);
    }

    /// <summary>RMSNorm, row by row: x / √(mean x² + ε) ⊙ weight.</summary>
    private void Normalize(ReadOnlySpan<float> x, ReadOnlySpan<float> weight, Span<float> y)
    {
        for (int at = 0; at < x.Length; at += weight.Length)
        {
            ReadOnlySpan<float> row = x.Slice(at, weight.Length);
            float meanSquare = TensorPrimitives.SumOfSquares(row) / weight.Length;
            TensorPrimitives.Multiply(row, 1 / MathF.Sqrt(meanSquare + _config.NormEpsilon), y[at..]);
            TensorPrimitives.Multiply(y.Slice(at, weight.Length), weight, y[at..]);
        }
    }

    /// <summary>Softmax in place; subtracting the largest score first keeps exp from overflowing.</summary>
    private static void Softmax(Span<float> scores)
    {
        TensorPrimitives.Subtract(scores, TensorPrimitives.Max(scores), scores);
        TensorPrimitives.Exp(scores, scores);
        TensorPrimitives.Divide(scores, TensorPrimitives.Sum(scores), scores);
    }
}
