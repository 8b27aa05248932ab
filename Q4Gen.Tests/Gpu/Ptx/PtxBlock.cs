namespace Q4Gen.Tests.Gpu.Ptx;

/// <summary>A place in a grid or block, or its size.</summary>
internal readonly record struct PtxDim(int X, int Y, int Z)
{
    public int Count => checked(X * Y * Z);
}

/// <summary>
/// The threads of a block, with their shared memory. Warps run one after the other from barrier to barrier, which is as good an
/// order as any: what would come out differently in another order is a race, and throws.
/// </summary>
internal sealed class PtxBlock
{
    private readonly PtxWarp[] _warps;

    public PtxBlock(PtxEntry entry, PtxMemory memory, PtxLaunch launch)
    {
        Memory = memory;
        Grid = launch.Grid;
        Size = launch.Block;
        Parameters = launch.Parameters;
        DynamicSharedBytes = launch.DynamicSharedBytes;
        Threads = Size.Count;
        Shared = new([.. entry.SharedVariables(DynamicSharedBytes)], entry.SharedGranule);
        _warps = [.. Enumerable.Range(0, (Threads + Lane.Count - 1) / Lane.Count).Select(index => new PtxWarp(this, entry, index))];
    }

    public PtxMemory Memory { get; }

    public PtxSharedMemory Shared { get; }

    public byte[] Parameters { get; }

    public PtxDim Grid { get; }

    public PtxDim Size { get; }

    public int DynamicSharedBytes { get; }

    public int Threads { get; }

    public PtxDim Position { get; private set; }

    /// <summary>The block's number in the grid.</summary>
    public long Index { get; private set; }

    /// <summary>The number of barriers that the block has passed.</summary>
    public int Epoch { get; private set; }

    public long Instructions => _warps.Sum(warp => warp.Instructions);

    public void Run(PtxDim position)
    {
        Position = position;
        Index = position.X + ((long)Grid.X * (position.Y + ((long)Grid.Y * position.Z)));
        Epoch = 0;
        Shared.Reset();
        foreach (var warp in _warps)
        {
            warp.Reset();
        }

        while (true)
        {
            foreach (var warp in _warps)
            {
                warp.Run();
            }

            if (_warps.All(warp => warp.IsDone))
            {
                return;
            }

            CheckBarriers();
            Epoch++;
            foreach (var warp in _warps)
            {
                warp.Release();
            }
        }
    }

    private void CheckBarriers()
    {
        var waiting = _warps.SelectMany(warp => warp.Barriers.Select(barrier => (Warp: warp, barrier.Instruction, barrier.Barrier))).ToArray();
        var (first, instruction, barrier) = waiting[0];
        if (_warps.FirstOrDefault(warp => warp.Exited != 0) is { } ended)
        {
            throw first.Explain(instruction, new PtxFault($"waits for ever: threads of warp {ended.Index} have ended"));
        }

        if (waiting.FirstOrDefault(other => other.Barrier != barrier) is { Warp: not null } other)
        {
            throw first.Explain(
                instruction, new PtxFault($"waits for ever at barrier {barrier}: warp {other.Warp.Index} waits at barrier {other.Barrier}"));
        }
    }
}
