using System.CommandLine;
using System.Diagnostics;
using Q4Gen.Benchmarks.Machine;
using Q4Gen.Kernels;
using static Q4Gen.Benchmarks.Calls.LayerData;

namespace Q4Gen.Benchmarks.Calls;

/// <summary>The command <c>parts</c>: what offsets and an input order add to a call, against the same layer without them.</summary>
internal static class PartsCommand
{
    private const int Rounds = 41;
    private const long ColdBytes = 200L << 20;

    /// <summary>Up to here weights come from memory each time, so each call takes another copy.</summary>
    private const int MaxColdRows = 8;

    private static readonly int[] s_rows = [1, 8, 64, 512];
    private static readonly Linear4BitShape[] s_shapes = [new(4096, 11008, 128), new(4096, 4096, 64), new(2048, 5632, 32)];
    private static readonly (string Name, bool IsAffine, bool HasOrder)[] s_parts =
        [("plain", false, false), ("offsets", true, false), ("input order", false, true), ("both", true, true)];

    /// <summary>Creates the command.</summary>
    public static Command Create()
    {
        Option<Linear4BitPrecision> precision = LayerData.Precision();
        var command = new Command("parts", "What offsets and an input order cost: medians of interleaved rounds, as ratios to the plain layer.") { precision };
        command.SetAction(result =>
        {
            using var team = new ProbeTeam(Linear4BitThreads.Count);
            using var memory = new MemoryBandwidth((int)ColdBytes, team);
            memory.Measure();
            Line($"{Linear4BitThreads.Count} threads; they read {memory.Measure() / 1e9:F1} GB/s from memory");
            Line($"{"shape",-18}{"rows",6}{"plain, us",12}{"offsets",10}{"input order",13}{"both",8}");
            foreach (Linear4BitShape shape in s_shapes)
            {
                Measure(shape, result.GetValue(precision));
            }
        });
        return command;
    }

    private static void Measure(Linear4BitShape shape, Linear4BitPrecision precision)
    {
        int copies = (int)(ColdBytes / (shape.PackedWeightBytes + shape.PackedScaleBytes)) + 1;
        Linear4Bit[][] layers = [.. s_parts.Select(part => Enumerable.Range(0, copies).Select(_ => Create(shape, precision, part.IsAffine, part.HasOrder)).ToArray())];
        foreach (int rows in s_rows)
        {
            float[] x = Activations(rows * shape.In), y = new float[rows * shape.Out];
            var samples = s_parts.Select(static _ => new double[Rounds]).ToArray();

            // Two rounds more, of which nothing is kept: code is compiled and scratch allocated.
            for (int round = -2; round < Rounds; round++)
            {
                for (int part = 0; part < s_parts.Length; part++)
                {
                    Linear4Bit layer = layers[part][rows <= MaxColdRows ? (round + 2) % copies : 0];
                    Quiet.Await();
                    long start = Stopwatch.GetTimestamp();
                    layer.Forward(x, y);
                    double time = Stopwatch.GetElapsedTime(start).TotalMicroseconds;
                    if (round >= 0)
                    {
                        samples[part][round] = time;
                    }
                }
            }

            double[] medians = [.. samples.Select(static values => Spread.Of(values).Median)];
            Line($"{shape,-18}{rows,6}{medians[0],12:F0}{medians[1] / medians[0],10:F3}{medians[2] / medians[0],13:F3}{medians[3] / medians[0],8:F3}");
        }

        foreach (Linear4Bit layer in layers.SelectMany(static all => all))
        {
            layer.Dispose();
        }
    }

    private static Linear4Bit Create(Linear4BitShape shape, Linear4BitPrecision precision, bool isAffine, bool hasOrder)
    {
        var random = new Random(1);
        byte[] nibbles = new byte[shape.WeightBytes];
        random.NextBytes(nibbles);
        Half[] scales = new Half[shape.ScaleCount];
        Array.Fill(scales, (Half)0.01f);
        int[] order = [.. Enumerable.Range(0, shape.In)];
        random.Shuffle(order);
        PackedWeights weights = Packing.PanelPacker.Pack(shape, nibbles, scales, bias: [], isAffine ? scales : [], hasOrder ? order : []);
        return new Linear4Bit(KernelRegistry.Find(shape, precision).Best, weights);
    }
}
