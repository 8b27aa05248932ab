using System;
using System.Globalization;
using System.Text;

namespace Q4Gen.Generator.Emit;

/// <summary>
/// Writes C# with indentation, LF line ends and invariant numbers. Interpolated strings must not hold
/// floating-point or culture-bound values other than through <see cref="Text(FormattableString)"/>.
/// </summary>
internal sealed class SourceWriter
{
    private const int IndentWidth = 4;

    private readonly StringBuilder _text = new();
    private int _depth;

    /// <summary>Formats without regard to the culture of the machine.</summary>
    public static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    /// <summary>An empty line.</summary>
    public void Line() => _text.Append('\n');

    /// <summary>One or more lines at the current indentation; a multi-line <paramref name="text"/> keeps its own indentation on top.</summary>
    public void Line(string text)
    {
        int start = 0;
        while (start <= text.Length)
        {
            int end = text.IndexOf('\n', start);
            if (end < 0)
            {
                end = text.Length;
            }

            int length = end - start;
            if (length > 0 && text[end - 1] == '\r')
            {
                length--;
            }

            if (length > 0)
            {
                _text.Append(' ', _depth * IndentWidth).Append(text, start, length);
            }

            _text.Append('\n');
            start = end + 1;
        }
    }

    /// <summary>A header, where there is one, and an opening brace; disposing writes the closing one.</summary>
    public Scope Block(string header = "", string close = "}")
    {
        if (header.Length > 0)
        {
            Line(header);
        }

        Line("{");
        _depth++;
        return new Scope(this, close);
    }

    /// <summary>Lines that are indented once more, without braces.</summary>
    public Scope Indent()
    {
        _depth++;
        return new Scope(this, null);
    }

    /// <inheritdoc/>
    public override string ToString() => _text.ToString();

    /// <summary>An open block.</summary>
    internal readonly struct Scope(SourceWriter writer, string? close) : IDisposable
    {
        public void Dispose()
        {
            writer._depth--;
            if (close is not null)
            {
                writer.Line(close);
            }
        }
    }
}
