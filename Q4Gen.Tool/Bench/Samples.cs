using System.Diagnostics;
using Q4Gen.Benchmarks.Machine;

namespace Q4Gen.Tool.Bench;

/// <summary>Times of all calls. Room for them is made before the first: a collection of garbage would be measured.</summary>
internal sealed class Samples
{
    private readonly BenchLayers[] _layers;
    private readonly long[][][] _ticks;
    private readonly int[] _rounds;
    private readonly List<double> _bandwidth;

    /// <summary>Room for some rounds.</summary>
    public Samples(BenchLayers[] layers, int maxRounds)
    {
        _layers = layers;
        _ticks = [.. Precisions.Select(_ => layers.Select(item => new long[item.Copies * maxRounds]).ToArray())];
        _rounds = new int[Precisions.Length];
        _bandwidth = new List<double>(maxRounds);
    }

    /// <summary>What is measured of each layer; the values are indices, too.</summary>
    public static Linear4BitPrecision[] Precisions { get; } = [Linear4BitPrecision.Exact, Linear4BitPrecision.Int8Activations];

    /// <summary>Rounds that were measured.</summary>
    public int Rounds => _bandwidth.Count;

    /// <summary>Bytes a second.</summary>
    public double Bandwidth => Spread.Of(_bandwidth).Median;

    /// <summary>Adds what memory gave.</summary>
    public void AddBandwidth(double bytesPerSecond) => _bandwidth.Add(bytesPerSecond);

    /// <summary>Calls every copy of every layer once, so that each has left the caches when it comes again.</summary>
    public void Run(Linear4BitPrecision precision)
    {
        long[][] ticks = _ticks[(int)precision];
        int round = _rounds[(int)precision]++;

        // The first call wakes the workers, and is none of those that count. It takes the layer that is furthest away.
        BenchLayers last = _layers[^1];
        last.Run(precision, last.Copies - 1);
        for (int copy = 0; copy < last.Copies; copy++)
        {
            for (int i = 0; i < _layers.Length; i++)
            {
                BenchLayers layer = _layers[i];
                long start = Stopwatch.GetTimestamp();
                layer.Run(precision, copy);
                ticks[i][round * layer.Copies + copy] = Stopwatch.GetTimestamp() - start;
            }
        }
    }

    /// <summary>Seconds of a call; the median.</summary>
    public double Seconds(int layer, Linear4BitPrecision precision)
    {
        int count = _rounds[(int)precision] * _layers[layer].Copies;
        return Spread.Of(_ticks[(int)precision][layer].Take(count).Select(static ticks => (double)ticks)).Median / Stopwatch.Frequency;
    }
}
