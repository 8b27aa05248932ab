using Q4Gen.Kernels;

namespace Q4Gen.Threading;

/// <summary>Runs one call of a kernel: cuts many rows into blocks, packs them, and divides panels between threads.</summary>
internal static class Execution
{
    /// <summary>
    /// Bytes of packed weights, times rows, that a thread must have to be worth waking: about three microseconds of
    /// work, several times what the hand-over costs.
    /// </summary>
    private const long MinBytesPerThread = 48 << 10;

    /// <summary>Elements of x that a thread must have where rows are only read through: as long.</summary>
    private const long MinElementsPerThread = 16 << 10;

    /// <summary>
    /// Bytes of rows that are brought into the order of columns at a time, where a kernel takes all rows at once: enough
    /// rows to read weights for, few enough to stay in a cache, and memory that a thread may keep.
    /// </summary>
    private const int MaxOrderedBytes = 4 << 20;

    /// <summary>Computes y for all rows of a row-major call.</summary>
    public static void Run(Linear4BitKernel kernel, in KernelCall call)
    {
        bool isTiled = call.Rows >= kernel.MinTiledRows;
        int blockRows = isTiled ? kernel.Packing.BlockRows(call.Rows)
            : call.HasInputOrder ? Math.Max(1, MaxOrderedBytes / sizeof(float) / kernel.Shape.In)
            : call.Rows;
        if (!isTiled && call.Rows <= blockRows)
        {
            Share(kernel, TeamTask.Compute(kernel, Prepare(kernel, call)), call.Rows);
            return;
        }

        for (int row = 0; row < call.Rows; row += blockRows)
        {
            KernelCall block = Prepare(kernel, call.Slice(row, Math.Min(blockRows, call.Rows - row), kernel.Shape));
            if (isTiled)
            {
                RunTiled(kernel, block);
            }
            else
            {
                Share(kernel, TeamTask.Compute(kernel, block), block.Rows);
            }
        }
    }

    private static unsafe void RunTiled(Linear4BitKernel kernel, in KernelCall block)
    {
        ActivationPacking packing = kernel.Packing;
        void* tiles = ThreadScratch.RentTiles(packing.Bytes(block.Rows));
        Share(kernel, TeamTask.Pack(kernel, block, tiles), block.Rows);
        Share(kernel, TeamTask.Compute(kernel, packing.Tiled(block, tiles)), block.Rows);
    }

    /// <summary>The call with its rows in the order of columns, and for affine weights with the sums of x that all threads need.</summary>
    private static unsafe KernelCall Prepare(Linear4BitKernel kernel, in KernelCall call)
    {
        if (!call.IsAffine && !call.HasInputOrder)
        {
            return call;
        }

        long elements = (long)call.Rows * kernel.Shape.In;
        KernelCall ready = call.IsAffine
            ? call.WithSums((float*)ThreadScratch.RentSums((long)call.Rows * kernel.Shape.Groups * sizeof(float)))
            : call;
        float* ordered = call.HasInputOrder ? (float*)ThreadScratch.RentOrdered(elements * sizeof(float)) : null;
        Share(TeamTask.Prepare(kernel, ready, ordered), elements / MinElementsPerThread);
        return call.HasInputOrder ? ready.InOrder(ordered) : ready;
    }

    private static void Share(Linear4BitKernel kernel, in TeamTask task, int rows) =>
        Share(task, kernel.Shape.PackedWeightBytes * rows / MinBytesPerThread);

    /// <summary>Divides a task between threads, of which <paramref name="useful"/> are worth waking.</summary>
    private static void Share(in TeamTask task, long useful)
    {
        if (useful > 1)
        {
            WorkerTeam team = Linear4BitThreads.Team;
            int parts = (int)Math.Min(Math.Min(team.Threads, task.Units), useful);
            if (parts > 1 && team.TryRun(task, parts))
            {
                return;
            }
        }

        task.Run(0, 1);
    }
}
