namespace Q4Gen.Kernels;

/// <summary>How many tiles of activations cover a block of rows.</summary>
/// <param name="Full">Tiles of the kernel's full height.</param>
/// <param name="Tail">Lower tiles for the remainder.</param>
internal readonly record struct TileCounts(int Full, int Tail)
{
    /// <summary>
    /// Covers <paramref name="rows"/> with full tiles and then as few lower ones as cost less than another full tile.
    /// </summary>
    public static TileCounts For(int rows, int tileRows, int tailTileRows)
    {
        int full = rows / tileRows;
        int tail = (rows % tileRows + tailTileRows - 1) / tailTileRows;
        return tail * tailTileRows >= tileRows ? new TileCounts(full + 1, 0) : new TileCounts(full, tail);
    }
}
