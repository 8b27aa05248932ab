using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Q4Gen.Kernels;

namespace Q4Gen.Threading;

/// <summary>
/// Packs rows of activations by tiles, <c>[tile][column][row of the tile]</c>, so that a tile kernel walks one
/// contiguous stream; rows as they come lie a power of two apart and evict each other from the first-level cache.
/// </summary>
internal static class ActivationTiles
{
    /// <summary>A stretch of columns that stays in the first-level cache while the rows of a tile take turns.</summary>
    private const int ColumnsAtOnce = 128;

    /// <summary>Floats that tiles of <paramref name="counts"/> take.</summary>
    public static long Length(Linear4BitKernel kernel, TileCounts counts) =>
        (counts.Full * kernel.TileRows + counts.Tail * kernel.TailTileRows) * (long)kernel.Shape.In;

    /// <summary>Packs the tiles from <paramref name="firstTile"/> up to <paramref name="endTile"/>, full ones first.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static unsafe void Pack(
        Linear4BitKernel kernel, in KernelCall rowMajor, float* tiles, TileCounts counts, int firstTile, int endTile)
    {
        int columns = kernel.Shape.In;
        for (int tile = firstTile; tile < endTile; tile++)
        {
            bool isFull = tile < counts.Full;
            int height = isFull ? kernel.TileRows : kernel.TailTileRows;
            int firstRow = isFull ? tile * height : counts.Full * kernel.TileRows + (tile - counts.Full) * height;
            int rows = Math.Clamp(rowMajor.Rows - firstRow, 0, height);
            ref float source = ref Unsafe.Add(ref rowMajor.X, (nint)firstRow * columns);
            float* target = tiles + (nint)firstRow * columns;
            if (rows < height)
            {
                NativeMemory.Clear(target, (nuint)height * (nuint)columns * sizeof(float));
            }

            for (int firstColumn = 0; firstColumn < columns; firstColumn += ColumnsAtOnce)
            {
                int count = Math.Min(ColumnsAtOnce, columns - firstColumn);
                for (int row = 0; row < rows; row++)
                {
                    ref float x = ref Unsafe.Add(ref source, (nint)row * columns + firstColumn);
                    float* lane = target + (nint)firstColumn * height + row;
                    for (int column = 0; column < count; column++)
                    {
                        lane[column * height] = Unsafe.Add(ref x, column);
                    }
                }
            }
        }
    }
}
