using Q4Gen.Kernels;
using Q4Gen.Packing;
using Q4Gen.Tests.Kernels;

namespace Q4Gen.Tests.Runtime;

/// <summary>Tests that set the number of threads, or count what all threads allocate, run alone.</summary>
[CollectionDefinition(nameof(ThreadingCollection), DisableParallelization = true)]
public class ThreadingCollection;

/// <summary>Results do not depend on how many threads compute them, nor on who else computes.</summary>
[Collection(nameof(ThreadingCollection))]
public sealed class ThreadingTests : IDisposable
{
    /// <summary>Enough weights for eight threads to have a share each, even of one row.</summary>
    private static readonly Linear4BitShape s_large = new(256, 4096, 32);

    /// <summary>Long rows, and panels that no number of threads divides evenly.</summary>
    private static readonly Linear4BitShape s_uneven = new(2050, 530, 128);

    private readonly int _threads = Linear4BitThreads.Count;

    public void Dispose() => Linear4BitThreads.Count = _threads;

    public static TheoryData<int, int, int, int> ShapesAndRows()
    {
        var data = new TheoryData<int, int, int, int>();
        foreach (Linear4BitShape shape in (Linear4BitShape[])[s_large, s_uneven, new(4096, 64, 128), new(40, 24, 12)])
        {
            foreach (int rows in (int[])[1, 3, 7, 16, 64, 100])
            {
                data.Add(shape.In, shape.Out, shape.Group, rows);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(ShapesAndRows))]
    public void AnyNumberOfThreadsGivesTheSameBits(int inFeatures, int outFeatures, int group, int rows)
    {
        using Linear4Bit layer = LayerData.Random(new Linear4BitShape(inFeatures, outFeatures, group), seed: 5).CreateLayer();
        float[] x = LayerData.RandomInput(rows * layer.In, seed: 6);
        foreach (KernelIsa isa in Enum.GetValues<KernelIsa>().Where(isa => isa != KernelIsa.Scalar || rows == 1))
        {
            using Linear4Bit? clone = layer.CloneFor(isa);
            if (clone is null)
            {
                continue;
            }

            Linear4BitThreads.Count = 1;
            float[] alone = Forward(clone, x, rows);
            foreach (int threads in (int[])[2, 3, 8])
            {
                Linear4BitThreads.Count = threads;
                AssertSameBits(alone, Forward(clone, x, rows), $"{clone.Kernel}, {rows} rows on {threads} threads");
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(13)]
    public async Task ManyCallersOfOneLayerGetTheSameBits(int rows)
    {
        using Linear4Bit layer = LayerData.Random(s_uneven, seed: 5).CreateLayer();
        float[] x = LayerData.RandomInput(rows * layer.In, seed: 6);
        float[] alone = Forward(layer, x, rows);
        Linear4BitThreads.Count = 4;
        await Task.WhenAll(Enumerable.Range(0, 32).Select(caller => Task.Run(() =>
        {
            for (int i = 0; i < 5; i++)
            {
                AssertSameBits(alone, Forward(layer, x, rows), $"caller {caller}");
            }
        })));
    }

    [Fact]
    public async Task TheNumberOfThreadsMayChangeBetweenAndDuringCalls()
    {
        using Linear4Bit layer = LayerData.Random(s_large, seed: 5).CreateLayer();
        float[] x = LayerData.RandomInput(layer.In, seed: 6);
        float[] alone = Forward(layer, x, 1);
        using var stop = new CancellationTokenSource();
        Task[] callers =
        [
            .. Enumerable.Range(0, 4).Select(_ => RunOnOwnThread(() =>
            {
                do
                {
                    AssertSameBits(alone, Forward(layer, x, 1), "while the number of threads changes");
                }
                while (!stop.IsCancellationRequested);
            })),
        ];
        for (int i = 0; i < 60; i++)
        {
            Linear4BitThreads.Count = 1 + i % 5;
        }

        await stop.CancelAsync();
        await Task.WhenAll(callers);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(8, 3)]
    [InlineData(3, 1)]
    public void PanelsAreDividedStaticallyInWholeUnits(int threads, int panelsPerUnit)
    {
        Linear4BitThreads.Count = threads;
        var kernel = new RecordingKernel(s_uneven, panelsPerUnit);
        using Linear4Bit layer = CreateLayer(kernel);
        float[] x = LayerData.RandomInput(8 * layer.In, seed: 1);
        var expected = (IReadOnlyList<(int First, int End)>?)null;
        for (int call = 0; call < 3; call++)
        {
            kernel.Shares.Clear();
            Forward(layer, x, 8);
            (int First, int End)[] shares = [.. kernel.Shares.Select(static s => (s.First, s.End)).Order()];
            Assert.Equal(threads, shares.Length);
            Assert.Equal(threads, kernel.Shares.Select(static s => s.Thread).Distinct().Count());
            Assert.Equal(0, shares[0].First);
            Assert.Equal(s_uneven.Panels, shares[^1].End);
            for (int i = 1; i < shares.Length; i++)
            {
                Assert.Equal(shares[i - 1].End, shares[i].First);
                Assert.Equal(0, shares[i].First % panelsPerUnit);
            }

            Assert.Equal(expected ?? shares, shares);
            expected = shares;
        }
    }

    [Fact]
    public void ASmallLayerStaysOnTheCallingThread()
    {
        Linear4BitThreads.Count = 8;
        var kernel = new RecordingKernel(new Linear4BitShape(64, 256, 64), panelsPerUnit: 1);
        using Linear4Bit layer = CreateLayer(kernel);
        Forward(layer, LayerData.RandomInput(layer.In, seed: 1), 1);
        Assert.Equal([(Environment.CurrentManagedThreadId, 0, 16)], kernel.Shares);
    }

    [Fact]
    public void AFailureOnAnyThreadReachesTheCallerAndTheTeamLivesOn()
    {
        Linear4BitThreads.Count = 3;
        var kernel = new RecordingKernel(s_large, panelsPerUnit: 1);
        using Linear4Bit layer = CreateLayer(kernel);
        float[] x = LayerData.RandomInput(layer.In, seed: 1);
        foreach (int panel in (int[])[0, s_large.Panels / 2, s_large.Panels - 1])
        {
            kernel.FailingPanel = panel;
            var exception = Assert.Throws<InvalidOperationException>(() => Forward(layer, x, 1));
            Assert.Equal($"Panel {panel} failed.", exception.Message);
            kernel.FailingPanel = -1;
            kernel.Shares.Clear();
            Forward(layer, x, 1);
            Assert.Equal(3, kernel.Shares.Count);
        }
    }

    [Fact]
    public async Task DisposingDuringCallsEndsThemWellOrRefusesThem()
    {
        for (int i = 0; i < 20; i++)
        {
            Linear4Bit layer = LayerData.Random(s_uneven, seed: 5).CreateLayer();
            float[] x = LayerData.RandomInput(layer.In, seed: 6);
            float[] alone = Forward(layer, x, 1);
            int refused = 0;
            Task[] callers =
            [
                .. Enumerable.Range(0, 4).Select(_ => RunOnOwnThread(() =>
                {
                    try
                    {
                        while (true)
                        {
                            AssertSameBits(alone, Forward(layer, x, 1), "while the layer is disposed");
                        }
                    }
                    catch (ObjectDisposedException)
                    {
                        Interlocked.Increment(ref refused);
                    }
                })),
            ];
            await Task.Delay(5, TestContext.Current.CancellationToken);
            layer.Dispose();
            await Task.WhenAll(callers);
            Assert.Equal(4, refused);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(1025)]
    public void ANumberOfThreadsOutOfRangeIsRefusedAndChangesNothing(int threads)
    {
        Linear4BitThreads.Count = 2;
        var exception = Assert.Throws<ArgumentOutOfRangeException>(() => Linear4BitThreads.Count = threads);
        Assert.Contains("from 1 to 1024", exception.Message, StringComparison.Ordinal);
        Assert.Equal(2, Linear4BitThreads.Count);
    }

    internal static float[] Forward(Linear4Bit layer, float[] x, int rows)
    {
        var y = new float[rows * layer.Out];
        layer.Forward(x, y);
        return y;
    }

    /// <summary>For callers that go on until told otherwise: they would keep the thread pool from telling them.</summary>
    private static Task RunOnOwnThread(Action action) =>
        Task.Factory.StartNew(action, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private static void AssertSameBits(float[] expected, float[] actual, string what) =>
        Assert.True(expected.AsSpan().SequenceEqual(actual), $"{what}: other bits.");

    private static Linear4Bit CreateLayer(Linear4BitKernel kernel)
    {
        LayerData data = LayerData.Random(kernel.Shape, seed: 1);
        return new Linear4Bit(kernel, PanelPacker.Pack(data.Shape, data.Weight, data.Scales, data.Bias));
    }

    /// <summary>Computes nothing, and remembers which thread was given which panels.</summary>
    private sealed class RecordingKernel(Linear4BitShape shape, int panelsPerUnit) : Linear4BitKernel(shape, KernelIsa.Scalar)
    {
        public List<(int Thread, int First, int End)> Shares { get; } = [];

        public int FailingPanel { get; set; } = -1;

        public override string Name => "Recording";

        public override bool IsGenerated => false;

        public override int PanelsPerUnit => panelsPerUnit;

        public override void Run(in KernelCall call, int firstPanel, int endPanel)
        {
            lock (Shares)
            {
                Shares.Add((Environment.CurrentManagedThreadId, firstPanel, endPanel));
            }

            if (FailingPanel >= firstPanel && FailingPanel < endPanel)
            {
                throw new InvalidOperationException($"Panel {FailingPanel} failed.");
            }
        }
    }
}
