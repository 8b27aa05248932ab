using System.Diagnostics;
using Storyteller.Decoding;

namespace Storyteller.Text;

/// <summary>How a story is told.</summary>
/// <param name="Tokens">Most tokens to generate; the story may end before.</param>
/// <param name="Seed">Start of the random numbers: the same one tells the same story.</param>
/// <param name="Temperature">As <see cref="Sampler"/> takes it.</param>
/// <param name="TopP">As <see cref="Sampler"/> takes it.</param>
public sealed record StoryOptions(int Tokens, int Seed, float Temperature, float TopP)
{
    /// <summary>How often it is told; the last time counts, when everything has been compiled.</summary>
    public int Rounds { get; init; } = 1;
}

/// <summary>How long a story took.</summary>
/// <param name="PromptTokens">Tokens of the prompt, read as one batch.</param>
/// <param name="PromptTime">Time to read them.</param>
/// <param name="Tokens">Tokens that were generated one by one.</param>
/// <param name="Time">Time to generate them.</param>
public readonly record struct StoryTiming(int PromptTokens, TimeSpan PromptTime, int Tokens, TimeSpan Time)
{
    /// <summary>Generated tokens a second.</summary>
    public double TokensPerSecond => Tokens / Time.TotalSeconds;
}

/// <summary>Tells stories.</summary>
public sealed class Teller(Decoder decoder, StoryTokenizer tokenizer)
{
    private readonly float[] _logits = new float[decoder.Config.Vocabulary];

    /// <summary>The tokens of a prompt, <see cref="StoryTokenizer.EndOfText"/> in front.</summary>
    public int[] EncodePrompt(string prompt) => [StoryTokenizer.EndOfText, .. tokenizer.Encode(prompt)];

    /// <summary>
    /// Continues a prompt, token by token, until the story ends or is long enough. A story may grow beyond the model's
    /// context: what is further back than that is forgotten.
    /// </summary>
    /// <param name="prompt">From <see cref="EncodePrompt"/>; at most the model's context.</param>
    /// <param name="options">How to tell it.</param>
    /// <param name="write">Gets the text as it comes, the prompt's left out.</param>
    /// <exception cref="ArgumentException">The prompt is longer than the context.</exception>
    public StoryTiming Tell(ReadOnlySpan<int> prompt, StoryOptions options, Action<string> write)
    {
        var sampler = new Sampler(_logits.Length, options.Temperature, options.TopP, options.Seed);
        var text = new TextStream(tokenizer);

        long start = Stopwatch.GetTimestamp();
        decoder.Reset();
        ReadOnlySpan<float> hidden = decoder.Forward(prompt);
        decoder.Logits(hidden[^decoder.Config.Width..], _logits);
        TimeSpan promptTime = Stopwatch.GetElapsedTime(start);

        start = Stopwatch.GetTimestamp();
        int count = 0;
        while (count < options.Tokens)
        {
            int token = sampler.Next(_logits);
            count++;
            if (token == StoryTokenizer.EndOfText)
            {
                break;
            }

            write(text.Push(token));
            decoder.Logits(decoder.Forward([token]), _logits);
        }

        write(text.Flush());
        return new StoryTiming(prompt.Length, promptTime, count, Stopwatch.GetElapsedTime(start));
    }
}
