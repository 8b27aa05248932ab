using BenchmarkDotNet.Attributes;
using Q4Gen.Benchmarks.Calls;
using Q4Gen.Kernels;
using Q4Gen.Packing;
using Q4Gen.Threading;

namespace Q4Gen.Benchmarks.Micro;

/// <summary>One row through a layer so small that the call itself is what costs.</summary>
[MemoryDiagnoser]
public class SmallLayer
{
    private readonly float[] _x = LayerData.Activations(128);
    private readonly float[] _y = new float[384];
    private Linear4Bit _layer = null!;

    /// <summary>Columns that share a scale.</summary>
    [Params(32, 128)]
    public int Group { get; set; }

    /// <summary>Creates the layer.</summary>
    [GlobalSetup]
    public void Setup() => _layer = LayerData.Create(new Linear4BitShape(128, 384, Group));

    /// <summary>Frees it.</summary>
    [GlobalCleanup]
    public void Cleanup() => _layer.Dispose();

    /// <summary>128→384, M = 1.</summary>
    [Benchmark]
    public void Forward() => _layer.Forward(_x, _y);
}

/// <summary>Packing of rows of x by tiles, on one thread: what many rows pay before they are multiplied.</summary>
public unsafe class ActivationPacking : IDisposable
{
    private static readonly Linear4BitShape s_shape = new(4096, 4096, 64);
    private readonly Linear4BitKernel _kernel = KernelRegistry.Find(s_shape).Best;
    private readonly PackedWeights _weights = new(s_shape, hasBias: false);
    private float[] _x = [];
    private byte[] _tiles = [];

    /// <summary>Rows of x.</summary>
    [Params(24, 96)]
    public int Rows { get; set; }

    /// <summary>Allocates rows and tiles.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _x = LayerData.Activations(Rows * s_shape.In);
        _tiles = new byte[_kernel.Packing.Bytes(Rows)];
    }

    /// <summary>4096 columns.</summary>
    [Benchmark]
    public void Pack()
    {
        fixed (float* x = _x)
        fixed (byte* tiles = _tiles)
        {
            _kernel.Packing.Pack(_weights.Call(x, null, Rows), tiles, 0, _kernel.Packing.Tiles(Rows));
        }
    }

    /// <inheritdoc/>
    [GlobalCleanup]
    public void Dispose()
    {
        _weights.AddReference();
        _weights.Release();
        GC.SuppressFinalize(this);
    }
}

/// <summary>Packing of weights into panels, on one thread: what loading does with each layer.</summary>
public class PanelPacking : IDisposable
{
    private static readonly Linear4BitShape s_shape = new(4096, 1024, 128);
    private readonly PackedWeights _weights = new(s_shape, hasBias: false);
    private readonly byte[] _nibbles = new byte[s_shape.WeightBytes];
    private readonly Half[] _scales = new Half[s_shape.ScaleCount];

    /// <summary>Two megabytes of nibbles.</summary>
    [Benchmark]
    public void Words() => PanelPacker.PackRows(_weights, 0, _nibbles);

    /// <summary>Their scales.</summary>
    [Benchmark]
    public void Scales() => PanelPacker.PackGroups(_weights, 0, _scales, areOffsets: false);

    /// <inheritdoc/>
    [GlobalCleanup]
    public void Dispose()
    {
        _weights.AddReference();
        _weights.Release();
        GC.SuppressFinalize(this);
    }
}

/// <summary>One call's hand-over to a second thread that spins, and back, with nothing to compute.</summary>
[MemoryDiagnoser]
public class HandOver
{
    private readonly WorkerTeam _team = new(threads: 2);
    private TeamTask _task;

    /// <summary>Creates the task.</summary>
    [GlobalSetup]
    public void Setup() => _task = TeamTask.Compute(new NothingKernel(), default);

    /// <summary>Ends the thread.</summary>
    [GlobalCleanup]
    public void Cleanup() => _team.Retire();

    /// <summary>There and back.</summary>
    [Benchmark]
    public bool Run() => _team.TryRun(_task, parts: 2);

    private sealed class NothingKernel() : Linear4BitKernel(new Linear4BitShape(8, 32, 8), KernelIsa.Scalar)
    {
        public override string Name => "nothing";

        public override bool IsGenerated => false;

        public override void Run(in KernelCall call, int firstPanel, int endPanel)
        {
        }
    }
}
