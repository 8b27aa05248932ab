using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;
using Q4Gen.Generator.Diagnostics;

namespace Q4Gen.Generator.Parsing.Tuning;

/// <summary>
/// Reads the JSON (RFC 8259) of tuning files, strictly: no comments, no trailing commas, each name once. An analyzer can
/// bring no library along, and the compiler's own is not the same everywhere.
/// </summary>
internal sealed class JsonReader
{
    /// <summary>Far more than a tuning file nests, far less than the stack holds.</summary>
    private const int MaxDepth = 16;

    private readonly string _text;
    private int _at;

    private JsonReader(string text) => _text = text;

    /// <summary>Reads a whole file.</summary>
    /// <exception cref="TuningException">It is not JSON.</exception>
    public static JsonValue Read(string text)
    {
        var reader = new JsonReader(text);
        JsonValue value = reader.ReadValue(0);
        reader.SkipSpace();
        return reader._at == text.Length ? value : throw reader.Unexpected("the end of the file");
    }

    private JsonValue ReadValue(int depth)
    {
        SkipSpace();
        int start = _at;
        switch (Peek())
        {
            case '{' when depth < MaxDepth:
                return new JsonObject(start, ReadMembers(depth + 1));
            case '[' when depth < MaxDepth:
                return new JsonArray(start, ReadItems(depth + 1));
            case '"':
                return new JsonString(start, ReadString());
            case (>= '0' and <= '9') or '-':
                return new JsonNumber(start, ReadNumber());
            default:
                throw Unexpected("an object, an array, a text in quotes or a whole number");
        }
    }

    private Dictionary<string, JsonValue> ReadMembers(int depth)
    {
        var members = new Dictionary<string, JsonValue>(StringComparer.Ordinal);
        _at++;
        SkipSpace();
        if (TryTake('}'))
        {
            return members;
        }

        while (true)
        {
            SkipSpace();
            int start = _at;
            if (Peek() != '"')
            {
                throw Unexpected("a name in quotes");
            }

            string name = ReadString();
            SkipSpace();
            Take(':');
            JsonValue value = ReadValue(depth);
            if (members.ContainsKey(name))
            {
                throw new TuningException(Descriptors.MalformedTuning, start, $"'{name}' stands twice in one object");
            }

            members.Add(name, value);
            SkipSpace();
            if (TryTake('}'))
            {
                return members;
            }

            Take(',');
        }
    }

    private List<JsonValue> ReadItems(int depth)
    {
        var items = new List<JsonValue>();
        _at++;
        SkipSpace();
        if (TryTake(']'))
        {
            return items;
        }

        while (true)
        {
            items.Add(ReadValue(depth));
            SkipSpace();
            if (TryTake(']'))
            {
                return items;
            }

            Take(',');
        }
    }

    private string ReadString()
    {
        var text = new StringBuilder();
        for (_at++; Peek() != '"'; _at++)
        {
            char c = Peek();
            if (c < ' ')
            {
                throw Unexpected("a closing quote");
            }

            text.Append(c == '\\' ? ReadEscape() : c);
        }

        _at++;
        return text.ToString();
    }

    private char ReadEscape()
    {
        _at++;
        switch (Peek())
        {
            case '"' or '\\' or '/':
                return _text[_at];
            case 'b':
                return '\b';
            case 'f':
                return '\f';
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 't':
                return '\t';
            case 'u' when _at + 4 < _text.Length && ushort.TryParse(_text.Substring(_at + 1, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ushort unit):
                _at += 4;
                return (char)unit;
            default:
                throw Unexpected("one of the escapes of JSON behind a backslash");
        }
    }

    private int ReadNumber()
    {
        int start = _at;
        TryTake('-');
        while (Peek() is >= '0' and <= '9')
        {
            _at++;
        }

        string digits = _text.Substring(start, _at - start);
        bool isWhole = Peek() is not ('.' or 'e' or 'E') && !digits.TrimStart('-').StartsWith("0", StringComparison.Ordinal) || digits == "0";
        return isWhole && int.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value)
            ? value
            : throw new TuningException(Descriptors.MalformedTuning, start, "expected a whole number of at most nine digits here");
    }

    private void SkipSpace()
    {
        while (Peek() is ' ' or '\t' or '\n' or '\r')
        {
            _at++;
        }
    }

    private char Peek() => _at < _text.Length ? _text[_at] : '\0';

    private bool TryTake(char c)
    {
        bool isThere = Peek() == c;
        _at += isThere ? 1 : 0;
        return isThere;
    }

    private void Take(char c)
    {
        if (!TryTake(c))
        {
            throw Unexpected($"'{c}'");
        }
    }

    private TuningException Unexpected(string expected)
    {
        string found = _at >= _text.Length ? "the file ends" : Peek() < ' ' ? "the line ends" : $"there is '{Peek()}'";
        return new TuningException(Descriptors.MalformedTuning, _at, $"expected {expected} here, but {found}");
    }
}
