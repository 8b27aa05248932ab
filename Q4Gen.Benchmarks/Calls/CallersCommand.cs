using System.CommandLine;
using System.Diagnostics;
using Q4Gen.Benchmarks.Compare;
using Q4Gen.Benchmarks.Machine;
using static Q4Gen.Benchmarks.Calls.LayerData;

namespace Q4Gen.Benchmarks.Calls;

/// <summary>The command <c>callers</c>: several threads call one layer at once, as requests of a server do.</summary>
internal static class CallersCommand
{
    private const int Rounds = 7;
    private const int MaxCallsPerRound = 1 << 20;
    private static readonly TimeSpan s_round = TimeSpan.FromSeconds(0.5);
    private static readonly int[] s_callers = [1, 2, 8, 32];
    private static readonly Linear4BitShape[] s_shapes = [new(4096, 11008, 128), new(2048, 5632, 32), new(128, 384, 128)];

    /// <summary>Creates the command.</summary>
    public static Command Create()
    {
        Option<Linear4BitShape[]> shapes = CompareOptions.Shapes("--shapes", static () => s_shapes);
        Option<int> rows = Number("--rows", "Rows of x in a call.", standard: 1, min: 1, max: 4096);
        Option<Linear4BitPrecision> precision = Precision();
        var command = new Command("callers", "1, 2, 8 and 32 callers at once on one layer: throughput beside one caller's, and latency.") { shapes, rows, precision };
        command.SetAction(result =>
        {
            foreach (Linear4BitShape shape in result.GetRequiredValue(shapes))
            {
                Measure(shape, result.GetRequiredValue(precision), result.GetRequiredValue(rows));
            }
        });
        return command;
    }

    private static void Measure(Linear4BitShape shape, Linear4BitPrecision precision, int rows)
    {
        using Linear4Bit layer = LayerData.Create(shape, precision);
        var throughput = s_callers.ToDictionary(static callers => callers, static _ => new List<double>());
        var latencies = s_callers.ToDictionary(static callers => callers, static _ => new List<double>());
        for (int round = -1; round < Rounds; round++)
        {
            foreach (int callers in s_callers)
            {
                Quiet.Await();
                (double perSecond, List<double> seconds) = Run(layer, rows, callers);
                if (round >= 0)
                {
                    throughput[callers].Add(perSecond);
                    latencies[callers].AddRange(seconds);
                }
            }
        }

        Line($"{shape}, M = {rows}, {layer.Kernel}, {Linear4BitThreads.Count} threads a call");
        Line($"{"callers",9}{"calls/s",12}{"× one caller",14}{"p50 µs",12}{"p99 µs",12}");
        foreach (int callers in s_callers)
        {
            double[] sorted = [.. latencies[callers].Order()];
            double relative = Spread.Of(throughput[callers].Zip(throughput[1], static (all, one) => all / one)).Median;
            Line($"{callers,9}{Spread.Of(throughput[callers]).Median,12:F0}{relative,14:F2}{Spread.Quantile(sorted, 0.5) * 1e6,12:F1}{Spread.Quantile(sorted, 0.99) * 1e6,12:F1}");
        }
    }

    /// <summary>One round: each caller has rows of its own and calls until time is up.</summary>
    private static (double PerSecond, List<double> Seconds) Run(Linear4Bit layer, int rows, int callers)
    {
        using var ready = new Barrier(callers + 1);
        var times = new double[callers][];
        var counts = new int[callers];
        long deadline = 0;
        Thread[] threads = [.. Enumerable.Range(0, callers).Select(caller => new Thread(() =>
        {
            float[] x = Activations(rows * layer.In), y = new float[rows * layer.Out];
            double[] mine = times[caller] = new double[MaxCallsPerRound / callers];
            Array.Fill(mine, 0); // Touches its pages, so that no round does.
            layer.Forward(x, y);
            ready.SignalAndWait();
            ready.SignalAndWait();
            long end = Volatile.Read(ref deadline);
            int count = 0;
            for (long start = Stopwatch.GetTimestamp(); start < end && count < mine.Length;)
            {
                layer.Forward(x, y);
                long now = Stopwatch.GetTimestamp();
                mine[count++] = (double)(now - start) / Stopwatch.Frequency;
                start = now;
            }

            counts[caller] = count;
        }))];
        Array.ForEach(threads, static thread => thread.Start());
        ready.SignalAndWait();
        long begin = Stopwatch.GetTimestamp();
        Volatile.Write(ref deadline, begin + (long)(s_round.TotalSeconds * Stopwatch.Frequency));
        ready.SignalAndWait();
        Array.ForEach(threads, static thread => thread.Join());
        double elapsed = Stopwatch.GetElapsedTime(begin).TotalSeconds;
        List<double> seconds = [];
        for (int caller = 0; caller < callers; caller++)
        {
            seconds.AddRange(times[caller].AsSpan(0, counts[caller]));
        }

        return (seconds.Count / elapsed, seconds);
    }
}
