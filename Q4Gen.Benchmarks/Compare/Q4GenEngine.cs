using Q4Gen.Kernels;
using Q4Gen.Packing;

namespace Q4Gen.Benchmarks.Compare;

/// <summary>Layers of Q4Gen, on the kernels of one family.</summary>
internal sealed class Q4GenEngine : IEngine
{
    private readonly Workload _work;
    private readonly Linear4Bit[] _layers;
    private readonly float[] _y;
    private int _rows;

    /// <summary>Packs each copy of the weights.</summary>
    public Q4GenEngine(Workload work, int threads, KernelFamily family)
    {
        Linear4BitThreads.Count = threads;
        _work = work;
        _layers = [.. Enumerable.Range(0, work.Copies)
            .Select(_ => new Linear4Bit(family.Best, PanelPacker.Pack(work.Shape, work.Weights, work.Scales, [])))];
        _y = new float[work.MaxRows * work.Shape.Out];
    }

    /// <inheritdoc/>
    public string Description => _layers[0].Kernel.ToString();

    /// <inheritdoc/>
    public ReadOnlySpan<float> Y => _y;

    /// <inheritdoc/>
    public void Prepare(int rows) => _rows = rows;

    /// <inheritdoc/>
    public void Run(int copy) => _layers[copy].Forward(_work.X.AsSpan(0, _rows * _work.Shape.In), _y);

    /// <summary>Seconds of one <see cref="Linear4Bit.ForwardUnpack(ReadOnlySpan{float}, Span{float})"/> of one row.</summary>
    public double TimeUnpack()
    {
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        _layers[0].ForwardUnpack(_work.X.AsSpan(0, _work.Shape.In), _y);
        return System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Linear4Bit layer in _layers)
        {
            layer.Dispose();
        }
    }
}
