using System.Runtime.InteropServices;
using Q4Gen.Benchmarks.Machine;
using Q4Gen.Gpu;

namespace Q4Gen.Benchmarks.Gpu;

/// <summary>One layer's copies on a GPU, over which calls rotate so that no cache holds weights from one to the next.</summary>
internal sealed class GpuTiming : IDisposable
{
    private const int MinCopies = 6;

    /// <summary>Bytes of all copies: a pass must have thrown the first out of the L2 (50 MB on an H100, 126 MB on a B200).</summary>
    private const long ColdBytes = 256 << 20;

    /// <summary>Only layers so small that they live in caches anyway would need more.</summary>
    private const int MaxCopies = 256;

    private const int WarmUps = 10;
    private const int Calls = 50;
    private const int MaxCheckedRows = 8;

    /// <summary>A pass takes from a tenth of a millisecond to half a second; this bounds what all of its replays take.</summary>
    private const double GraphMicroseconds = 500_000;

    private const int MinReplays = 5;

    private readonly GpuWorkload _work;
    private readonly GpuTimer _timer;
    private readonly GpuTensor _x;
    private readonly List<Linear4Bit> _copies = [];

    /// <summary>Brings x, and as many copies of a layer as keep them cold, to the timer's GPU.</summary>
    /// <param name="work">The layer.</param>
    /// <param name="timer">Measures, on the stream that all work goes to.</param>
    /// <param name="coldBytes">Bytes that copies take in all, at least.</param>
    /// <exception cref="GpuOutOfMemoryException">The device has not enough memory.</exception>
    public GpuTiming(GpuWorkload work, GpuTimer timer, long coldBytes = ColdBytes)
    {
        _work = work;
        _timer = timer;
        _x = GpuTensor.Allocate(timer.Stream, GpuElement.Float16, work.Rows, work.Shape.In);
        try
        {
            work.UploadX(_x);
            long bytes = work.Shape.PackedWeightBytes + work.Shape.PackedScaleBytes;
            int count = (int)Math.Clamp((coldBytes + bytes - 1) / bytes, MinCopies, MaxCopies);
            for (int i = 0; i < count; i++)
            {
                _copies.Add(work.CreateLayer());
                _copies[i].To(timer.Stream.Context);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Layers whose weights are the same, but not their memory.</summary>
    public IReadOnlyList<Linear4Bit> Copies => _copies;

    /// <summary>Times the first rows of x; float16 in and out.</summary>
    public GpuMeasurement Measure(int rows, double copyBytesPerSecond)
    {
        using GpuTensor x = _x.Slice(0, rows);
        using GpuTensor y = GpuTensor.Allocate(_timer.Stream, GpuElement.Float16, rows, _work.Shape.Out);
        double error = RelativeError(x, y);
        for (int i = 0; i < WarmUps; i++)
        {
            Call(i);
        }

        var times = Spread.Of(_timer.Times(Calls, i => Call(WarmUps + i)));
        return new GpuMeasurement(
            _work.Shape, rows, GpuVerification.KernelFor(_timer.Stream.Context, _work.Shape, rows),
            times.Median, times.Min, TimeGraph(Call), error, copyBytesPerSecond);

        // Another copy than the calls before it.
        void Call(int i) => _copies[i % _copies.Count].Forward(x, y);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _timer.Stream.Synchronize();
        _x.Dispose();
        _copies.ForEach(static copy => copy.Dispose());
        _copies.Clear();
    }

    /// <summary>Microseconds of a call in a captured pass over all copies, in which launches do not wait for the host; null where nothing is captured.</summary>
    private double? TimeGraph(Action<int> call)
    {
        if (_timer.Stream.Context.IsEmulated)
        {
            return null;
        }

        try
        {
            using GpuGraph graph = _timer.Stream.Capture(() =>
            {
                for (int i = 0; i < _copies.Count; i++)
                {
                    call(i);
                }
            });
            graph.Launch();
            graph.Launch();
            double pass = _timer.Times(1, _ => graph.Launch())[0];
            int replays = (int)Math.Clamp(GraphMicroseconds / pass, MinReplays, Calls);
            double[] passes = _timer.Times(replays, _ => graph.Launch());
            return Spread.Of(passes).Median / _copies.Count;
        }
        catch (GpuUnavailableException exception)
        {
            // The events' figures are worth having without it.
            Console.Error.WriteLine($"{_work.Shape} gives no graph: {exception.Message}");
            return null;
        }
    }

    /// <summary>The largest relative error of a row of y, among the first, the last and some between.</summary>
    private double RelativeError(GpuTensor x, GpuTensor y)
    {
        _copies[0].Forward(x, y);
        var result = new Half[y.Length];
        y.Download(result);
        int rows = x.Shape[0], count = Math.Min(rows, MaxCheckedRows);
        int[] checkedRows = [.. Enumerable.Range(0, count).Select(i => count == 1 ? 0 : (int)((long)i * (rows - 1) / (count - 1)))];
        Float64Product truth = _work.Multiply(GpuElement.Float16, checkedRows);
        double worst = 0;
        for (int i = 0; i < count; i++)
        {
            double error = 0, norm = 0;
            for (int o = 0; o < _work.Outputs.Length; o++)
            {
                double expected = truth.Y[i * _work.Outputs.Length + o];
                double difference = (double)result[(long)checkedRows[i] * _work.Shape.Out + _work.Outputs[o]] - expected;
                error += difference * difference;
                norm += expected * expected;
            }

            double relative = Math.Sqrt(error / norm);
            worst = double.IsFinite(relative) ? Math.Max(worst, relative) : double.PositiveInfinity;
        }

        return worst;
    }
}
