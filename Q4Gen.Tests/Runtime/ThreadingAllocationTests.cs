using Q4Gen.Tests.Kernels;

namespace Q4Gen.Tests.Runtime;

/// <summary>A call allocates nothing, on no thread.</summary>
[Collection(nameof(ThreadingCollection))]
public sealed class ThreadingAllocationTests : IDisposable
{
    private const int Calls = 100;
    private const int Attempts = 30;

    private readonly int _threads = Linear4BitThreads.Count;

    public void Dispose() => Linear4BitThreads.Count = _threads;

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 64)]
    [InlineData(3, 1)]
    [InlineData(3, 64)]
    public void ForwardAllocatesNothing(int threads, int rows)
    {
        Linear4BitThreads.Count = threads;
        foreach (Linear4BitShape shape in (Linear4BitShape[])[new(256, 4096, 32), new(172, 64, 64), new(40, 24, 12), new(130, 40, 64)])
        {
            using Linear4Bit layer = LayerData.Random(shape, seed: 1).CreateLayer();
            float[] x = LayerData.RandomInput(rows * shape.In, seed: 2);
            var y = new float[rows * shape.Out];
            layer.Forward(x, y);
            AssertNoAllocation(() => layer.Forward(x, y), shape.PackedWeightBytes * rows > 1 << 20 ? 1 : Calls);
        }
    }

    [Fact]
    public void TheMeasurementSeesAnAllocation() =>
        Assert.ThrowsAny<Exception>(() => AssertNoAllocation(static () => GC.KeepAlive(new object()), Calls));

    private static void AssertNoAllocation(Action call, int calls)
    {
        long own = long.MaxValue;
        long all = long.MaxValue;

        // Other threads of the process may allocate now and then, and a collection counts as 24 bytes of each thread; the
        // kernel's own would be there every time.
        for (int attempt = 0; attempt < Attempts && (own != 0 || all != 0); attempt++)
        {
            long allBefore = GC.GetTotalAllocatedBytes(precise: true);
            long ownBefore = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < calls; i++)
            {
                call();
            }

            own = Math.Min(own, GC.GetAllocatedBytesForCurrentThread() - ownBefore);
            all = Math.Min(all, GC.GetTotalAllocatedBytes(precise: true) - allBefore);
        }

        Assert.Equal(0, own);
        Assert.Equal(0, all);
    }
}
