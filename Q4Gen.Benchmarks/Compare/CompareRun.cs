using System.Diagnostics;
using Q4Gen.Benchmarks.Machine;

namespace Q4Gen.Benchmarks.Compare;

/// <summary>Measures all engines and the machine's limits side by side, round by round.</summary>
internal static class CompareRun
{
    /// <summary>A turn lasts about this long, or one call: long beside the clock, short enough for many rounds.</summary>
    private const double TurnSeconds = 0.02;

    /// <summary>An untimed call comes first unless calls are so long that waking the threads is nothing beside them.</summary>
    private const double LongCallSeconds = 0.02;

    /// <summary>Up to this M, a turn goes over all copies.</summary>
    private const int ColdRows = 8;

    /// <summary>Rounds in which <c>ForwardUnpack</c>, tens of times slower than all else, takes its turn.</summary>
    private const int UnpackRounds = 3;

    /// <summary>All engines on one shape, for each M; the pool of ONNX Runtime must have as many threads.</summary>
    /// <exception cref="WrongResultException">An engine's result is not that of float64.</exception>
    public static ShapeResult Measure(
        Linear4BitShape shape, int threads, IReadOnlyList<int> rowCounts, int rounds, MachineLimits machine, Action<string> progress)
    {
        progress($"{shape}, {threads} threads: packing");
        var work = new Workload(shape, rowCounts.Max());
        var engines = new List<IEngine>();
        try
        {
            foreach (EngineKind kind in EngineKind.All)
            {
                engines.Add(kind.Create(work, threads));
            }

            var limits = new List<Limits>();
            var rows = new List<Measurement>();
            double? unpack = null;
            foreach (int count in rowCounts)
            {
                progress($"{shape}, {threads} threads: M = {count}");
                Turn[] turns = [.. engines.Select((engine, i) =>
                {
                    Quiet.Await();
                    return Check(EngineKind.All[i], engine, work, count);
                })];
                List<Limits> roundLimits = Interleave(turns, machine, rounds);
                var limit = MachineLimits.Median(roundLimits);
                limits.AddRange(roundLimits);
                rows.AddRange(turns.Select(turn => new Measurement(
                    turn.Kind, shape, count, threads, Spread.Of(turn.Seconds), turn.Error, work.WeightBytes,
                    limit.LeastSeconds(work.WeightBytes, work.Operations(count), turn.Kind.IsInt8))));
                if (count == 1)
                {
                    Q4GenEngine exact = engines.OfType<Q4GenEngine>().First();
                    unpack = Spread.Of(Enumerable.Range(0, UnpackRounds).Select(_ => exact.TimeUnpack())).Median;
                }
            }

            Dictionary<string, string> descriptions = EngineKind.All.Zip(engines).ToDictionary(e => e.First.Name, e => e.Second.Description);
            return new ShapeResult(shape, threads, work.Copies, work.IsCold, descriptions, rows, unpack, MachineLimits.Median(limits));
        }
        finally
        {
            engines.ForEach(static engine => engine.Dispose());
        }
    }

    /// <summary>Runs copies once, which also warms up, compares each result with float64, and sizes a turn.</summary>
    /// <exception cref="WrongResultException">The result is not that of float64.</exception>
    internal static Turn Check(EngineKind kind, IEngine engine, Workload work, int rows)
    {
        engine.Prepare(rows);
        double shortest = double.PositiveInfinity, error = 0;
        int copies = rows <= ColdRows ? work.Copies : Math.Min(work.Copies, 2);
        for (int copy = 0; copy < copies; copy++)
        {
            long start = Stopwatch.GetTimestamp();
            engine.Run(copy);
            shortest = Math.Min(shortest, Stopwatch.GetElapsedTime(start).TotalSeconds);
            error = Math.Max(error, work.RelativeError(engine.Y, rows));
        }

        if (!(error <= kind.MaxError))
        {
            throw new WrongResultException(FormattableString.Invariant(
                $"{kind.Name} is wrong on {work.Shape} with M = {rows}: its relative error against float64 is {error:g3}, but at most {kind.MaxError:g3} counts. It runs {engine.Description}."));
        }

        int calls = rows <= ColdRows ? work.Copies : Math.Clamp((int)(TurnSeconds / shortest), 1, work.Copies);
        return new Turn(kind, engine, work.Copies, calls, isLong: shortest > LongCallSeconds, error);
    }

    private static List<Limits> Interleave(Turn[] turns, MachineLimits machine, int rounds)
    {
        var limits = new List<Limits>();
        for (int round = 0; round < rounds; round++)
        {
            Quiet.Await();
            limits.Add(machine.Measure());
            for (int i = 0; i < turns.Length; i++)
            {
                // Another one begins each round, so that none always follows the same.
                Quiet.Await();
                turns[(i + round) % turns.Length].Run();
            }
        }

        return limits;
    }

    /// <summary>One engine in the rounds of one M.</summary>
    internal sealed class Turn(EngineKind kind, IEngine engine, int copies, int calls, bool isLong, double error)
    {
        private int _next;

        public EngineKind Kind => kind;

        public double Error => error;

        public List<double> Seconds { get; } = [];

        /// <summary>Calls on one copy after the other, on from where the last turn ended, so that weights are always cold.</summary>
        public void Run()
        {
            if (!isLong)
            {
                RunNext();
            }

            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < calls; i++)
            {
                RunNext();
            }

            Seconds.Add(Stopwatch.GetElapsedTime(start).TotalSeconds / calls);
        }

        private void RunNext()
        {
            engine.Run(_next);
            _next = (_next + 1) % copies;
        }
    }
}

/// <summary>An engine computes something else than float64 does, so its time means nothing.</summary>
internal sealed class WrongResultException(string message) : Exception(message);
