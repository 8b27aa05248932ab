using System.Diagnostics;
using Q4Gen.Benchmarks.Machine;
using Q4Gen.Import;
using Q4Gen.Kernels;
using Q4Gen.Tool.Commands;

namespace Q4Gen.Tool.Bench;

/// <summary>
/// Times one call of every kind of layer in a model, with weights that come from memory, beside what memory gives to plain
/// reading. A round does each of these once, so that a machine that slows down slows all of them.
/// </summary>
internal static class BenchRun
{
    /// <summary>More copies of tiny layers would not fill a cache either.</summary>
    private const int MaxCopies = 64;

    /// <summary>Calls before the first that counts: what runs them is compiled anew after 30.</summary>
    private const int WarmCalls = 40;

    /// <summary>The largest part of the memory that this process may use.</summary>
    private const double MemoryShare = 0.5;

    /// <summary>For the runtime's compiler of hot code to be done.</summary>
    private static readonly TimeSpan s_settlingLimit = TimeSpan.FromSeconds(60);

    /// <summary>Workers and probes park well within it.</summary>
    private static readonly TimeSpan s_quietLimit = TimeSpan.FromMilliseconds(50);

    /// <summary>Measures the layers of a file.</summary>
    /// <param name="layers">The layers.</param>
    /// <param name="file">What they are of.</param>
    /// <param name="options">How long and on what to measure.</param>
    /// <param name="progress">Told the share that is done, between rounds.</param>
    /// <param name="ct">Stops between rounds.</param>
    /// <exception cref="WeightFormatException">There are no layers, or one that no kernel can run.</exception>
    /// <exception cref="OutOfMemoryException">One layer of each kind is more than the machine has memory for.</exception>
    public static BenchReport Measure(IReadOnlyList<LinearLayer> layers, string file, BenchOptions options, IProgress<double> progress, CancellationToken ct)
    {
        LayerShapes.Check(layers, file);
        (LayerKind Kind, int Count)[] kinds = [.. layers.GroupBy(LayerKind.Of)
            .Select(static group => (group.Key, group.Count()))
            .OrderByDescending(static item => item.Key.Bytes * item.Item2).ThenBy(static item => item.Key.ToString(), StringComparer.Ordinal)];
        int copies = CopiesOf(kinds.Sum(static item => item.Kind.Bytes), options, file);
        var kernels = GeneratedKernels.Compile([.. kinds.Select(static item => item.Kind.Shape).Distinct()], ct);
        int threadsBefore = Linear4BitThreads.Count;
        var timed = new List<BenchLayers>();
        try
        {
            Linear4BitThreads.Count = options.Threads;
            foreach ((LayerKind kind, _) in kinds)
            {
                ct.ThrowIfCancellationRequested();
                timed.Add(new BenchLayers(
                    kind, copies, kernels.Find(kind.Shape, Linear4BitPrecision.Exact), kernels.Find(kind.Shape, Linear4BitPrecision.Int8Activations)));
            }

            Samples samples = Interleave([.. timed], options, progress, ct);
            bool isCold = copies * kinds.Sum(static item => item.Kind.Bytes) >= options.ColdBytes;
            return BenchSummary.Of(layers, file, options.Threads, kinds, timed, samples, isCold);
        }
        finally
        {
            timed.ForEach(static item => item.Dispose());
            Linear4BitThreads.Count = threadsBefore;
        }
    }

    private static int CopiesOf(long bytes, BenchOptions options, string file)
    {
        long available = (long)(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes * MemoryShare);
        if (bytes > available)
        {
            throw new OutOfMemoryException(
                $"{file}: one layer of each kind takes {Console.Sizes.Of(bytes)}, but {Console.Sizes.Of(available)} of memory may be used; run it on the machine that the model is for.");
        }

        return (int)Math.Clamp(Math.Min((options.ColdBytes + bytes - 1) / bytes, available / bytes), 1, MaxCopies);
    }

    private static Samples Interleave(BenchLayers[] layers, BenchOptions options, IProgress<double> progress, CancellationToken ct)
    {
        using var team = new ProbeTeam(options.Threads);
        using var memory = new MemoryBandwidth(Math.Min(options.ColdBytes, int.MaxValue), team);
        var samples = new Samples(layers, options.MaxRounds);
        WarmUp(layers, memory);
        long start = Stopwatch.GetTimestamp();
        for (int round = 0; round < options.MaxRounds; round++)
        {
            ct.ThrowIfCancellationRequested();
            TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
            if (round >= options.MinRounds && elapsed >= options.Duration)
            {
                break;
            }

            progress.Report(Math.Min(1, Math.Max(elapsed / options.Duration, (double)round / options.MaxRounds)));
            Quiet.TryAwait(s_quietLimit);
            samples.AddBandwidth(memory.Measure());
            Quiet.TryAwait(s_quietLimit);

            // Another one begins each round, so that none always follows the same.
            bool isExactFirst = round % 2 == 0;
            samples.Run(isExactFirst ? Linear4BitPrecision.Exact : Linear4BitPrecision.Int8Activations);
            samples.Run(isExactFirst ? Linear4BitPrecision.Int8Activations : Linear4BitPrecision.Exact);
        }

        progress.Report(1);
        return samples;
    }

    private static void WarmUp(BenchLayers[] layers, MemoryBandwidth memory)
    {
        BenchLayers smallest = layers.MinBy(static item => item.Kind.Bytes)!;
        for (int pass = 0; pass < 2; pass++)
        {
            memory.Measure();
            foreach (Linear4BitPrecision precision in Samples.Precisions)
            {
                foreach (BenchLayers item in layers)
                {
                    item.Run(precision, 0);
                }

                for (int i = 0; i < WarmCalls; i++)
                {
                    smallest.Run(precision, 0);
                }
            }

            Quiet.Settle(s_settlingLimit);
        }
    }
}
