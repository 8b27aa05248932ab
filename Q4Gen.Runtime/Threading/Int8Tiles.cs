using System.Runtime.CompilerServices;
using Q4Gen.Kernels;

namespace Q4Gen.Threading;

/// <summary>Rounds rows of activations to 8 bits and packs them by tiles; see <see cref="Int8Activations"/>.</summary>
internal sealed unsafe class Int8Tiles(Int8Kernel kernel) : ActivationPacking
{
    /// <summary>
    /// Packed x that all panels walk through, one after the other: it should stay in the second-level cache beside a
    /// panel, and be long, because each block of rows reads all weights from memory again.
    /// </summary>
    private const int MaxBlockBytes = 768 << 10;

    private readonly int _rowWords = kernel.Blocks.RowWords;

    /// <summary>Equal blocks, each a whole number of the highest tiles.</summary>
    public override int BlockRows(int rows)
    {
        int height = kernel.MaxTileRows;
        int maxRows = Math.Max(1, MaxBlockBytes / (_rowWords * sizeof(int)) / height) * height;
        int blocks = (rows + maxRows - 1) / maxRows;
        int tiles = (rows + blocks * height - 1) / (blocks * height);
        return tiles * height;
    }

    /// <inheritdoc/>
    public override long Bytes(int rows) => (long)rows * _rowWords * sizeof(int);

    /// <inheritdoc/>
    public override int Tiles(int rows) => new RowTiles(rows, kernel.MaxTileRows).Count;

    /// <inheritdoc/>
    public override KernelCall Tiled(in KernelCall rowMajor, void* tiles) => rowMajor.Tiled(tiles, default);

    /// <inheritdoc/>
    public override void Pack(in KernelCall rowMajor, void* tiles, int firstTile, int endTile)
    {
        var rows = new RowTiles(rowMajor.Rows, kernel.MaxTileRows);
        for (int tile = firstTile; tile < endTile; tile++)
        {
            int row = rows.RowOf(tile);
            Int8Activations.PackTile(rowMajor, kernel.Blocks, row, rows.HeightOf(tile), ref Unsafe.Add(ref *(int*)tiles, (nint)row * _rowWords));
        }
    }
}
