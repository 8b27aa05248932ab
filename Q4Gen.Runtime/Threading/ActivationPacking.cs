using Q4Gen.Kernels;

namespace Q4Gen.Threading;

/// <summary>How a kernel wants many rows of activations: packed once for all panels, in pieces that threads share.</summary>
internal abstract unsafe class ActivationPacking
{
    /// <summary>Rows that are packed and multiplied at a time.</summary>
    public abstract int BlockRows(int rows);

    /// <summary>Bytes that <paramref name="rows"/> packed rows take.</summary>
    public abstract long Bytes(int rows);

    /// <summary>Tiles of <paramref name="rows"/> rows, which can be packed on different threads.</summary>
    public abstract int Tiles(int rows);

    /// <summary>Packs the tiles from <paramref name="firstTile"/> up to <paramref name="endTile"/> of a row-major call.</summary>
    public abstract void Pack(in KernelCall rowMajor, void* tiles, int firstTile, int endTile);

    /// <summary>The same call on its packed rows.</summary>
    public abstract KernelCall Tiled(in KernelCall rowMajor, void* tiles);
}
