using Q4Gen.Format;

namespace Q4Gen.Kernels;

/// <summary>
/// Where a row of x is cut into blocks that share a scale: each group of the weights in pieces of at most 256 columns;
/// the last piece of a group, and the last group, may be shorter.
/// </summary>
internal readonly struct ActivationBlocks
{
    private const int MaxColumns = PanelLayout.MaxBlockColumns;

    private readonly int _group;

    /// <summary>The blocks of a row of <paramref name="shape"/>.</summary>
    public ActivationBlocks(Linear4BitShape shape)
    {
        Columns = shape.In;
        _group = Math.Min(shape.Group, shape.In);
        int lastGroup = shape.In - (shape.Groups - 1) * _group;
        Count = (shape.Groups - 1) * CeilingOf(_group, MaxColumns) + CeilingOf(lastGroup, MaxColumns);
        RowWords = Count * Int8Activations.HeaderWords + shape.Steps * Int8Activations.StepWords;
    }

    /// <summary>Columns of a row.</summary>
    public int Columns { get; }

    /// <summary>Blocks of a row.</summary>
    public int Count { get; }

    /// <summary>32-bit words that a packed row takes; meaningful where blocks are whole steps.</summary>
    public int RowWords { get; }

    /// <summary>Where the block that starts at a column ends.</summary>
    public int EndOf(int column)
    {
        long endOfGroup = (column / _group + 1L) * _group;
        return (int)Math.Min(Math.Min((long)column + MaxColumns, endOfGroup), Columns);
    }

    private static int CeilingOf(int value, int divisor) => (int)(((long)value + divisor - 1) / divisor);
}
