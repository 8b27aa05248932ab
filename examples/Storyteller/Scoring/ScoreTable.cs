using System.Diagnostics;
using System.Globalization;

namespace Storyteller.Scoring;

/// <summary>Prints scores, a line each as soon as it is there.</summary>
public sealed class ScoreTable
{
    private const string Columns = "{0,-22}{1,14}{2,12}{3,12}{4,20}{5,10}";

    private readonly TextWriter _output;

    /// <summary>Writes the heading.</summary>
    public ScoreTable(TextWriter output)
    {
        _output = output;
        _output.WriteLine(Columns, "weights", "nats a token", "perplexity", "to F16", "fused to unpacked", "seconds");
    }

    /// <summary>Measures one line and writes it.</summary>
    /// <param name="weights">What the line is called.</param>
    /// <param name="f16">Shows the difference in nats a token to this score.</param>
    /// <param name="unpacked">Shows the relative difference to this score.</param>
    /// <param name="measure">Takes the score.</param>
    public Score Add(string weights, Score? f16, Score? unpacked, Func<Score> measure)
    {
        long start = Stopwatch.GetTimestamp();
        Score score = measure();
        _output.WriteLine(
            Columns,
            weights,
            Format(score.NatsPerToken, "F4"),
            Format(score.Perplexity, "F3"),
            Format(score.NatsPerToken - f16?.NatsPerToken, "+0.0000;-0.0000"),
            Format(unpacked is { } other ? score.RelativeDifference(other) : null, "0.0e+0"),
            Format(Stopwatch.GetElapsedTime(start).TotalSeconds, "F1"));
        return score;
    }

    private static string Format(double? value, string format) => value?.ToString(format, CultureInfo.InvariantCulture) ?? "";
}
