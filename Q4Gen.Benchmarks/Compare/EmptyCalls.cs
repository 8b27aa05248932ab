using System.Diagnostics;
using Q4Gen.Benchmarks.Machine;

namespace Q4Gen.Benchmarks.Compare;

/// <summary>
/// What a call costs beside computing: the time of a layer so small that nothing else remains. Each copy of the weights
/// is a session or layer of its own, so every call of every engine pays it.
/// </summary>
internal static class EmptyCalls
{
    private const int Calls = 2000;
    private const int Rounds = 15;
    private static readonly Linear4BitShape s_shape = new(16, 16, 16);

    /// <summary>Median seconds of such a call, by the engine's name.</summary>
    public static IReadOnlyDictionary<string, double> Measure(int threads)
    {
        var work = new Workload(s_shape, maxRows: 1, copies: 1);
        return EngineKind.All.ToDictionary(static kind => kind.Name, kind =>
        {
            using IEngine engine = kind.Create(work, threads);
            engine.Prepare(1);
            return Spread.Of(Enumerable.Range(0, Rounds).Select(_ => Time(engine))).Median;
        });
    }

    private static double Time(IEngine engine)
    {
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < Calls; i++)
        {
            engine.Run(0);
        }

        return Stopwatch.GetElapsedTime(start).TotalSeconds / Calls;
    }
}
