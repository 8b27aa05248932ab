using Spectre.Console;

namespace Q4Gen.Tool.Console;

/// <summary>Tables in one style; text is never taken for markup, for names come from files.</summary>
internal static class Tables
{
    /// <summary>A table with columns of text.</summary>
    public static Table Create(params ReadOnlySpan<string> columns)
    {
        Table table = new Table().Border(TableBorder.Simple);
        foreach (string column in columns)
        {
            table.AddColumn(new TableColumn(Markup.Escape(column)).NoWrap());
        }

        return table;
    }

    /// <summary>Adds columns of numbers.</summary>
    public static Table RightAligned(this Table table, params ReadOnlySpan<string> columns)
    {
        foreach (string column in columns)
        {
            table.AddColumn(new TableColumn(Markup.Escape(column)).NoWrap().RightAligned());
        }

        return table;
    }

    /// <summary>Adds a row of plain text.</summary>
    public static void Row(this Table table, params ReadOnlySpan<string> cells)
    {
        var row = new List<Text>();
        foreach (string cell in cells)
        {
            row.Add(new Text(Printable(cell)));
        }

        table.AddRow(row);
    }

    /// <summary>A text from a file, whose control characters would steer a terminal.</summary>
    public static string Printable(string text) =>
        text.Any(char.IsControl) ? string.Concat(text.Select(c => char.IsControl(c) ? $"\\u{(int)c:x4}" : c.ToString())) : text;
}
