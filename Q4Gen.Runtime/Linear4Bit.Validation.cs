namespace Q4Gen;

public partial class Linear4Bit
{
    /// <summary>Checks input and output; returns the number of rows.</summary>
    private int CheckRows(ReadOnlySpan<float> x, Span<float> y)
    {
        int rows = x.Length / In;
        if (rows * In != x.Length)
        {
            throw new ArgumentException(
                $"The input has {x.Length} elements, which is no multiple of In = {In}; give whole rows [rows, {In}].", nameof(x));
        }

        long needed = (long)rows * Out;
        if (y.Length < needed)
        {
            throw new ArgumentException(
                $"The output has {y.Length} elements, but {rows} rows of Out = {Out} take {needed}.", nameof(y));
        }

        if (x.Overlaps(y))
        {
            throw new ArgumentException("Input and output overlap; give the output memory of its own.", nameof(y));
        }

        return rows;
    }
}
