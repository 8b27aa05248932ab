using System.Diagnostics;
using Q4Gen.Benchmarks.Machine;
using Q4Gen.Generator.Model;

namespace Q4Gen.Tool.Tune;

/// <summary>What one candidate took.</summary>
/// <param name="Id">The variant.</param>
/// <param name="Seconds">A call's median by the number of rows.</param>
/// <param name="Ratio">Its time as a part of the default's, paired by rounds: the median; several numbers of rows by their geometric mean.</param>
/// <param name="Rounds">Rounds that it was in; one that is far behind leaves early.</param>
/// <param name="Spread">Between the quartiles of a call's times, as a part of their median; the widest of all numbers of rows.</param>
internal sealed record RaceResult(string Id, IReadOnlyDictionary<int, double> Seconds, double Ratio, int Rounds, double Spread);

/// <summary>
/// Times candidates in turns. A round runs each of them once, so that a machine that slows down slows all of them, and each
/// call takes weights that have left the caches since they were read.
/// </summary>
internal sealed class Race
{
    /// <summary>Fewer give no median to rely on.</summary>
    public const int MinRounds = 15;

    /// <summary>More say nothing new.</summary>
    private const int MaxRounds = 60;

    /// <summary>Shorter samples are lost in the clock and in interrupts.</summary>
    private const double MinSampleSeconds = 0.5e-3;

    private const int MaxCallsPerSample = 64;

    /// <summary>After so many rounds, who is so far behind the best has lost; the default stays to compare with.</summary>
    private static readonly (int Rounds, double Behind)[] s_cuts = [(4, 1.4), (6, 1.15), (9, 1.06), (12, 1.03)];

    private static readonly TimeSpan s_settlingLimit = TimeSpan.FromSeconds(60);

    private readonly TuneWeights _weights;
    private readonly Candidate[] _candidates;
    private readonly int[] _rowCounts;
    private readonly Linear4Bit[][] _layers;
    private readonly List<double>[][] _samples;
    private readonly int[] _calls;

    private Race(TuneWeights weights, Candidate[] candidates, int[] rowCounts)
    {
        _weights = weights;
        _candidates = candidates;
        _rowCounts = rowCounts;
        _layers = [.. candidates.Select(candidate => weights.LayersOn(candidate.Kernel))];
        _samples = [.. candidates.Select(_ => rowCounts.Select(static _ => new List<double>(MaxRounds)).ToArray())];
        _calls = new int[rowCounts.Length];
    }

    /// <summary>Times candidates, of which the first is the default, until time is up; results in their order.</summary>
    /// <param name="weights">What they run on.</param>
    /// <param name="candidates">The default and others.</param>
    /// <param name="rowCounts">Rows of x in a call.</param>
    /// <param name="time">After that no round begins, once there are <see cref="MinRounds"/>.</param>
    /// <param name="betweenRounds">Something to measure in each round beside them.</param>
    /// <param name="ct">Stops between rounds.</param>
    public static IReadOnlyList<RaceResult> Run(
        TuneWeights weights, Candidate[] candidates, int[] rowCounts, TimeSpan time, Action? betweenRounds, CancellationToken ct)
    {
        Debug.Assert(candidates[0].Id == TuningEntry.Default, "Others are compared with the first.");
        var race = new Race(weights, candidates, rowCounts);
        try
        {
            race.WarmUp();
            Quiet.Settle(s_settlingLimit);
            race.RunRounds(time, betweenRounds, ct);
            return [.. candidates.Select((_, i) => race.ResultOf(i))];
        }
        finally
        {
            foreach (Linear4Bit layer in race._layers.SelectMany(static layers => layers))
            {
                layer.Dispose();
            }
        }
    }

    /// <summary>Each candidate's first call is slow; the default's second says how many make a sample.</summary>
    private void WarmUp()
    {
        for (int m = 0; m < _rowCounts.Length; m++)
        {
            for (int i = _candidates.Length - 1; i >= 0; i--)
            {
                Time(i, m, 1);
            }

            _calls[m] = (int)Math.Clamp(Math.Ceiling(MinSampleSeconds / Time(0, m, 1)), 1, MaxCallsPerSample);
        }
    }

    private void RunRounds(TimeSpan time, Action? betweenRounds, CancellationToken ct)
    {
        int[] running = [.. Enumerable.Range(0, _candidates.Length)];
        long start = Stopwatch.GetTimestamp();
        for (int round = 0; round < MaxRounds && (round < MinRounds || Stopwatch.GetElapsedTime(start) < time); round++)
        {
            ct.ThrowIfCancellationRequested();
            betweenRounds?.Invoke();
            for (int m = 0; m < _rowCounts.Length; m++)
            {
                // Another one begins each round, so that none always follows the same.
                for (int i = 0; i < running.Length; i++)
                {
                    int candidate = running[(i + round) % running.Length];
                    _samples[candidate][m].Add(Time(candidate, m, _calls[m]));
                }
            }

            if (s_cuts.FirstOrDefault(cut => cut.Rounds == round + 1) is { Rounds: > 0 } cut)
            {
                // What else runs on the machine only ever adds time, so the faster samples tell more while there are few.
                double best = running.Min(FastOf);
                running = [.. running.Where(i => i == 0 || FastOf(i) <= best * cut.Behind)];
            }
        }
    }

    private double Time(int candidate, int m, int calls)
    {
        ReadOnlySpan<float> x = _weights.X.AsSpan(0, _rowCounts[m] * _weights.Shape.In);
        Span<float> y = _weights.Y.AsSpan(0, _rowCounts[m] * _weights.Shape.Out);
        long start = Stopwatch.GetTimestamp();
        for (int call = 0; call < calls; call++)
        {
            _layers[candidate][_weights.NextCopy()].Forward(x, y);
        }

        return Stopwatch.GetElapsedTime(start).TotalSeconds / calls;
    }

    private RaceResult ResultOf(int candidate)
    {
        Spread[] spreads = [.. _samples[candidate].Select(static samples => Spread.Of(samples))];
        return new RaceResult(
            _candidates[candidate].Id,
            _rowCounts.Zip(spreads).ToDictionary(static item => item.First, static item => item.Second.Median),
            RatioOf(candidate),
            _samples[candidate][0].Count,
            spreads.Max(static spread => (spread.UpperQuartile - spread.LowerQuartile) / spread.Median));
    }

    /// <summary>The lower quartiles of its times; their geometric mean.</summary>
    private double FastOf(int candidate) => Math.Exp(_samples[candidate].Average(static samples => Math.Log(Spread.Of(samples).LowerQuartile)));

    private double RatioOf(int candidate) => Spread.Of(Enumerable.Range(0, _samples[candidate][0].Count).Select(round =>
    {
        double logarithms = 0;
        for (int m = 0; m < _rowCounts.Length; m++)
        {
            logarithms += Math.Log(_samples[candidate][m][round] / _samples[0][m][round]);
        }

        return Math.Exp(logarithms / _rowCounts.Length);
    })).Median;
}
