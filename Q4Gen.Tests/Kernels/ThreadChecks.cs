namespace Q4Gen.Tests.Kernels;

/// <summary>What holds for calls of any layer.</summary>
internal static class ThreadChecks
{
    // A collection counts as 24 bytes of each thread; what a call allocates itself would be there every time.
    private const int Attempts = 30;

    private static readonly int[] s_rows = [1, 6, 80];

    /// <summary>All outputs of rows of x.</summary>
    public static float[] Run(Linear4Bit layer, ReadOnlySpan<float> x)
    {
        var y = new float[x.Length / layer.In * layer.Out];
        layer.Forward(x, y);
        return y;
    }

    /// <summary>Results do not depend on the number of threads, and a call that was made before allocates nothing.</summary>
    public static void AssertThreadsChangeNothingAndACallAllocatesNothing(Linear4Bit layer, int seed)
    {
        int threads = Linear4BitThreads.Count;
        try
        {
            foreach (int rows in s_rows)
            {
                float[] x = LayerData.RandomInput(rows * layer.In, seed, InputKind.Centred);
                Linear4BitThreads.Count = 1;
                float[] alone = Run(layer, x);
                Linear4BitThreads.Count = 3;
                float[] y = Run(layer, x);
                Assert.Equal(alone, y);
                long least = long.MaxValue;
                for (int attempt = 0; attempt < Attempts && least != 0; attempt++)
                {
                    long before = GC.GetAllocatedBytesForCurrentThread();
                    layer.Forward(x, y);
                    least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
                }

                Assert.Equal(0, least);
            }
        }
        finally
        {
            Linear4BitThreads.Count = threads;
        }
    }
}
