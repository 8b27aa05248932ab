using System.Globalization;
using System.Text;

namespace Q4Gen;

/// <summary>
/// The errors of a model's layers as a table: <c>OnMatrix = table.Add</c> in <see cref="QuantizationOptions"/>, then
/// <see cref="ToString"/>.
/// Keeps figures, not matrices.
/// </summary>
public sealed class QuantizationErrorTable
{
    private static readonly string[] s_headings = ["tensor", "shape", "relative RMS", "weighted", "max abs"];

    private readonly List<string[]> _rows = [];

    /// <summary>Adds a line.</summary>
    /// <param name="name">The layer's name.</param>
    /// <param name="matrix">Its matrix.</param>
    public void Add(string name, QuantizedMatrix matrix)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(matrix);
        _rows.Add(
        [
            name,
            matrix.Shape.ToString(),
            matrix.RelativeRmsError.ToString("F4", CultureInfo.InvariantCulture),
            matrix.WeightedRmsError.ToString("F4", CultureInfo.InvariantCulture),
            matrix.MaxAbsoluteError.ToString("G3", CultureInfo.InvariantCulture),
        ]);
    }

    /// <summary>A line for each layer, in the order in which they were added, below a heading.</summary>
    public override string ToString()
    {
        string[][] lines = [s_headings, .. _rows];
        int[] widths = [.. s_headings.Select((_, column) => lines.Max(line => line[column].Length))];
        var text = new StringBuilder();
        foreach (string[] line in lines)
        {
            // Words to the left, figures to the right.
            IEnumerable<string> cells = line.Select((cell, column) => column < 2 ? cell.PadRight(widths[column]) : cell.PadLeft(widths[column]));
            text.AppendJoin("  ", cells).Append('\n');
        }

        return text.ToString();
    }
}
