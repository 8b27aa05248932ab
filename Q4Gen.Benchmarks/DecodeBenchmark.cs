using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Q4Gen.Kernels;

namespace Q4Gen.Benchmarks;

/// <summary>
/// One token on cold weights: <c>Forward</c> of each shape beside the memory bandwidth that plain reading reaches, in
/// the same rounds. Layers rotate over at least 200 MB, so that no cache holds them from one call to the next.
/// </summary>
internal static class DecodeBenchmark
{
    private const long ColdBytes = 200_000_000;
    private const long ReadBytes = 256 << 20;

    /// <summary>The command <c>decode</c>.</summary>
    public static Command CreateCommand()
    {
        var threads = new Option<int>("--threads") { Description = "Threads a call.", DefaultValueFactory = _ => Environment.ProcessorCount };
        var rounds = new Option<int>("--rounds") { Description = "Interleaved rounds; medians are printed.", DefaultValueFactory = _ => 25 };
        var command = new Command("decode", "One token on cold weights, beside the read bandwidth of the same rounds.") { threads, rounds };
        command.SetAction(result => Run(result.GetRequiredValue(threads), result.GetRequiredValue(rounds)));
        return command;
    }

    private static int Run(int threads, int rounds)
    {
        Linear4BitThreads.Count = threads;
        using var memory = new MemoryBandwidth(ReadBytes, threads);
        foreach (Linear4BitShape shape in (Linear4BitShape[])[new(4096, 11008, 128), new(11008, 4096, 128), new(4096, 4096, 64), new(2048, 5632, 32)])
        {
            Measure(shape, memory, threads, rounds);
        }

        return 0;
    }

    private static void Measure(Linear4BitShape shape, MemoryBandwidth memory, int threads, int rounds)
    {
        Linear4Bit[] layers = [.. Enumerable.Range(0, (int)(ColdBytes / shape.PackedWeightBytes) + 1).Select(seed => RandomLayer(shape, seed))];
        var x = new float[shape.In];
        var y = new float[shape.Out];
        var random = new Random(1);
        foreach (ref float value in x.AsSpan())
        {
            value = random.NextSingle() * 2 - 1;
        }

        double layerBytes = shape.PackedWeightBytes + shape.PackedScaleBytes;
        double[] forward = new double[rounds], read = new double[rounds], share = new double[rounds], unpack = new double[rounds];
        for (int round = -1; round < rounds; round++)
        {
            double seconds = Time(() =>
            {
                foreach (Linear4Bit layer in layers)
                {
                    layer.Forward(x, y);
                }
            }) / layers.Length;
            long bytes = 0;
            double readSeconds = Time(() => bytes = memory.ReadAll());
            double unpackSeconds = round % 5 == 0 ? Time(() => layers[0].ForwardUnpack(x, y)) : double.NaN;
            if (round >= 0)
            {
                forward[round] = seconds;
                read[round] = bytes / readSeconds;
                share[round] = layerBytes / seconds / read[round];
                unpack[round] = unpackSeconds;
            }
        }

        double median = Median(forward);
        Line($"{shape}  {layers[0].Kernel}  {threads} threads, {layers.Length} copies");
        Line($"  Forward        {median * 1e6,9:F0} µs  {layerBytes / median / 1e9,6:F1} GB/s   fastest round {forward.Min() * 1e6:F0} µs");
        Line($"  plain reading  {"",9}     {Median(read) / 1e9,6:F1} GB/s");
        Line($"  share of it    {Median(share) * 100,9:F0} %   (median of the rounds' own ratios)");
        Line($"  ForwardUnpack  {Median([.. unpack.Where(double.IsFinite)]) * 1e6,9:F0} µs  Forward is {Median([.. unpack.Where(double.IsFinite)]) / median:F0} times as fast");
        foreach (Linear4Bit layer in layers)
        {
            layer.Dispose();
        }
    }

    private static unsafe Linear4Bit RandomLayer(Linear4BitShape shape, int seed)
    {
        var weights = new PackedWeights(shape, hasBias: false);
        new Random(seed).NextBytes(new Span<byte>(weights.Words(0), checked((int)shape.PackedWeightBytes)));
        new Span<short>(weights.Scales(0), checked((int)(shape.PackedScaleBytes / 2))).Fill(BitConverter.HalfToInt16Bits((Half)0.01f));
        return new Linear4Bit(KernelRegistry.Find(shape).Best, weights);
    }

    private static double Time(Action action)
    {
        long start = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static double Median(double[] values)
    {
        Array.Sort(values);
        return values[values.Length / 2];
    }

    private static void Line(FormattableString text) => Console.WriteLine(text.ToString(CultureInfo.InvariantCulture));
}
