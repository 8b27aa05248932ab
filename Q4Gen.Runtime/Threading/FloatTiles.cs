using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Q4Gen.Kernels;

namespace Q4Gen.Threading;

/// <summary>
/// Packs rows of activations by tiles, <c>[tile][column][row of the tile]</c>, so that a tile kernel walks one
/// contiguous stream; rows as they come lie a power of two apart and evict each other from the first-level cache.
/// </summary>
internal sealed unsafe class FloatTiles(Linear4BitKernel kernel) : ActivationPacking
{
    /// <summary>A stretch of columns that stays in the first-level cache while the rows of a tile take turns.</summary>
    private const int ColumnsAtOnce = 128;

    /// <summary>Rows that are packed and multiplied at a time: enough to spread the cost of expanding a panel, few enough for the second-level cache.</summary>
    private const int MaxBlockRows = 96;

    /// <summary>Equal blocks, each a whole number of tiles, so that no short block is left over at the end.</summary>
    public override int BlockRows(int rows)
    {
        int blocks = (rows + MaxBlockRows - 1) / MaxBlockRows;
        int tiles = (rows + blocks * kernel.TileRows - 1) / (blocks * kernel.TileRows);
        return tiles * kernel.TileRows;
    }

    /// <inheritdoc/>
    public override long Bytes(int rows)
    {
        TileCounts counts = Counts(rows);
        return (counts.Full * kernel.TileRows + counts.Tail * kernel.TailTileRows) * (long)kernel.Shape.In * sizeof(float);
    }

    /// <inheritdoc/>
    public override int Tiles(int rows)
    {
        TileCounts counts = Counts(rows);
        return counts.Full + counts.Tail;
    }

    /// <inheritdoc/>
    public override KernelCall Tiled(in KernelCall rowMajor, void* tiles) => rowMajor.Tiled(tiles, Counts(rowMajor.Rows));

    /// <summary>Packs the tiles from <paramref name="firstTile"/> up to <paramref name="endTile"/>, full ones first.</summary>
    [MethodImpl(Compile.Once)]
    public override void Pack(in KernelCall rowMajor, void* tiles, int firstTile, int endTile)
    {
        TileCounts counts = Counts(rowMajor.Rows);
        int columns = kernel.Shape.In;
        for (int tile = firstTile; tile < endTile; tile++)
        {
            bool isFull = tile < counts.Full;
            int height = isFull ? kernel.TileRows : kernel.TailTileRows;
            int firstRow = isFull ? tile * height : counts.Full * kernel.TileRows + (tile - counts.Full) * height;
            int rows = Math.Clamp(rowMajor.Rows - firstRow, 0, height);
            ref float source = ref Unsafe.Add(ref rowMajor.X, (nint)firstRow * columns);
            float* target = (float*)tiles + (nint)firstRow * columns;
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

    private TileCounts Counts(int rows) => TileCounts.For(rows, kernel.TileRows, kernel.TailTileRows);
}
