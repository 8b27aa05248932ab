using Q4Gen.Kernels;
using Q4Gen.Packing;

namespace Q4Gen.Tests.Runtime;

/// <summary>When native memory goes: with the last layer on it, and never under a call.</summary>
public sealed class Linear4BitLifetimeTests
{
    private static readonly Linear4BitSample s_sample = Linear4BitSample.Create(new Linear4BitShape(64, 37, 32), bias: true);

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public void DisposeFreesAtOnceAndOnce()
    {
        PackedWeights weights = Pack();
        var layer = new Linear4Bit(KernelRegistry.Find(s_sample.Shape).Best, weights);
        Assert.False(IsFreed(weights));
        layer.Dispose();
        Assert.True(IsFreed(weights));
        layer.Dispose();
        Assert.Contains("64→37 g32", layer.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void ACloneOutlivesItsOriginal()
    {
        PackedWeights weights = Pack();
        var layer = new Linear4Bit(KernelRegistry.Find(s_sample.Shape).Best, weights);
        Linear4Bit clone = layer.Clone();
        layer.Dispose();
        layer.Dispose();
        Assert.False(IsFreed(weights));
        float[] x = Linear4BitSample.Input(64);
        var y = new float[37];
        clone.Forward(x, y);
        s_sample.AssertForward(x, y, tolerance: 3e-6);
        clone.Dispose();
        Assert.True(IsFreed(weights));
    }

    [Fact]
    public async Task DisposeUnderACallWaitsForItsEnd()
    {
        PackedWeights weights = Pack();
        var kernel = new WaitingKernel(s_sample.Shape);
        var layer = new Linear4Bit(kernel, weights);
        Task call = OnOwnThread(() => layer.Forward(new float[64], new float[37]));
        Assert.True(kernel.Entered.Wait(TimeSpan.FromSeconds(30), Cancelled));
        layer.Dispose();
        Assert.False(IsFreed(weights));
        Task late = OnOwnThread(() => layer.Forward(new float[64], new float[37]));
        await Task.WhenAny(late, Task.Delay(TimeSpan.FromSeconds(30), Cancelled));
        Assert.IsType<ObjectDisposedException>(late.Exception?.InnerException);
        kernel.MayLeave.Set();
        await call;
        Assert.True(IsFreed(weights));
    }

    [Fact]
    public async Task AnExceptionInACallReleasesTheWeights()
    {
        PackedWeights weights = Pack();
        var kernel = new WaitingKernel(s_sample.Shape) { Failure = new InvalidOperationException("from the kernel") };
        kernel.MayLeave.Set();
        var layer = new Linear4Bit(kernel, weights);
        await Assert.ThrowsAsync<InvalidOperationException>(() => OnOwnThread(() => layer.Forward(new float[64], new float[37])));
        layer.Dispose();
        Assert.True(IsFreed(weights));
    }

    [Fact]
    public async Task CallsClonesAndDisposeAtOnceEndInResultsOrOneClearError()
    {
        float[] x = Linear4BitSample.Input(64);
        for (int round = 0; round < 200; round++)
        {
            PackedWeights weights = Pack();
            var layer = new Linear4Bit(KernelRegistry.Find(s_sample.Shape).Best, weights);
            using var start = new Barrier(3);
            Task caller = OnOwnThread(() => UntilDisposed(start, () => Check(layer, x)));
            Task cloner = OnOwnThread(() => UntilDisposed(start, () =>
            {
                using Linear4Bit clone = layer.Clone();
                Check(clone, x);
            }));
            start.SignalAndWait(Cancelled);
            layer.Dispose();
            await Task.WhenAll(caller, cloner);
            Assert.True(IsFreed(weights));
        }
    }

    [Fact]
    public void FreedWeightsTakeNoNewLayer()
    {
        PackedWeights weights = Pack();
        Linear4BitKernel kernel = KernelRegistry.Find(s_sample.Shape).Best;
        new Linear4Bit(kernel, weights).Dispose();
        Assert.Throws<ObjectDisposedException>(() => new Linear4Bit(kernel, weights));
    }

    [Fact]
    public void WeightsOfAnotherShapeAreRefused()
    {
        Linear4BitKernel kernel = KernelRegistry.Find(new Linear4BitShape(64, 37, 64)).Best;
        string message = Assert.Throws<ArgumentException>("weights", () => new Linear4Bit(kernel, Pack())).Message;
        Assert.Contains("64→37 g32", message, StringComparison.Ordinal);
    }

    private static PackedWeights Pack() => PanelPacker.Pack(s_sample.Shape, s_sample.Weight, s_sample.Scales, s_sample.Bias);

    private static unsafe bool IsFreed(PackedWeights weights) => weights.Words(0) == null;

    private static void Check(Linear4Bit layer, float[] x)
    {
        var y = new float[37];
        layer.Forward(x, y);
        s_sample.AssertForward(x, y, tolerance: 3e-6);
    }

    /// <summary>A thread that does not wait for one of the pool to be free.</summary>
    private static Task OnOwnThread(Action action) =>
        Task.Factory.StartNew(action, Cancelled, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private static void UntilDisposed(Barrier start, Action action)
    {
        start.SignalAndWait(Cancelled);
        try
        {
            while (true)
            {
                action();
            }
        }
        catch (ObjectDisposedException exception)
        {
            Assert.Contains("Linear4Bit", exception.ObjectName, StringComparison.Ordinal);
        }
    }

    /// <summary>A kernel that stays inside its call until it is told to leave.</summary>
    private sealed class WaitingKernel(Linear4BitShape shape) : Linear4BitKernel(shape, KernelIsa.Scalar)
    {
        public ManualResetEventSlim Entered { get; } = new();

        public ManualResetEventSlim MayLeave { get; } = new();

        public Exception? Failure { get; init; }

        public override string Name => "Waiting";

        public override bool IsGenerated => false;

        public override void Run(in KernelCall call, int firstPanel, int endPanel)
        {
            Entered.Set();
            MayLeave.Wait();
            if (Failure is not null)
            {
                throw Failure;
            }
        }
    }
}
