using System.Text;

namespace Q4Gen.Tool.Console;

/// <summary>Leaves the spaces at ends of lines out, with which tables fill their columns: files and pipes have no use for them.</summary>
internal sealed class TrimmingWriter(TextWriter inner) : TextWriter
{
    private int _spaces;

    public override Encoding Encoding => inner.Encoding;

    public override void Write(char value)
    {
        switch (value)
        {
            case ' ':
                _spaces++;
                break;
            case '\n' or '\r':
                _spaces = 0;
                inner.Write(value);
                break;
            default:
                for (; _spaces > 0; _spaces--)
                {
                    inner.Write(' ');
                }

                inner.Write(value);
                break;
        }
    }

    public override void Flush() => inner.Flush();
}
