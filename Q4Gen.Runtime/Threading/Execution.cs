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

    /// <summary>Rows that are packed and multiplied at a time: enough to spread the cost of expanding a panel, few enough for the second-level cache.</summary>
    private const int MaxBlockRows = 96;

    /// <summary>Computes y for all rows of a row-major call.</summary>
    public static void Run(Linear4BitKernel kernel, in KernelCall call)
    {
        if (call.Rows < kernel.MinTiledRows)
        {
            Share(kernel, TeamTask.Compute(kernel, call), call.Rows);
            return;
        }

        int blockRows = BlockRows(call.Rows, kernel.TileRows);
        for (int row = 0; row < call.Rows; row += blockRows)
        {
            RunTiled(kernel, call.Slice(row, Math.Min(blockRows, call.Rows - row), kernel.Shape));
        }
    }

    private static unsafe void RunTiled(Linear4BitKernel kernel, in KernelCall block)
    {
        TileCounts counts = TileCounts.For(block.Rows, kernel.TileRows, kernel.TailTileRows);
        float* tiles = ThreadScratch.RentTiles(ActivationTiles.Length(kernel, counts));
        Share(kernel, TeamTask.Pack(kernel, block, tiles, counts), block.Rows);
        Share(kernel, TeamTask.Compute(kernel, block.Tiled(tiles, counts)), block.Rows);
    }

    private static void Share(Linear4BitKernel kernel, in TeamTask task, int rows)
    {
        long useful = kernel.Shape.PackedWeightBytes * rows / MinBytesPerThread;
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

    /// <summary>Equal blocks, each a whole number of tiles, so that no short block is left over at the end.</summary>
    private static int BlockRows(int rows, int tileRows)
    {
        int blocks = (rows + MaxBlockRows - 1) / MaxBlockRows;
        int tiles = (rows + blocks * tileRows - 1) / (blocks * tileRows);
        return tiles * tileRows;
    }
}
