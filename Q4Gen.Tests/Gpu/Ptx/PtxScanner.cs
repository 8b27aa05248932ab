namespace Q4Gen.Tests.Gpu.Ptx;

internal enum PtxTokenKind
{
    /// <summary>An identifier, a number, or a mnemonic with its modifiers.</summary>
    Word,
    Punctuation,
    Text,
    End,
}

/// <summary>A token, where it starts in the text, and on which line.</summary>
internal readonly record struct PtxToken(PtxTokenKind Kind, string Text, int Start, int Line)
{
    public bool Is(char punctuation) => Kind == PtxTokenKind.Punctuation && Text[0] == punctuation;
}

/// <summary>Splits PTX text into tokens, of which one is in sight at a time.</summary>
internal sealed class PtxScanner
{
    private readonly string _text;
    private int _position;
    private int _line = 1;

    public PtxScanner(string text)
    {
        _text = text;
        Current = Scan();
    }

    public PtxToken Current { get; private set; }

    public PtxToken Take()
    {
        var token = Current;
        Current = Scan();
        return token;
    }

    public bool TryTake(char punctuation)
    {
        if (!Current.Is(punctuation))
        {
            return false;
        }

        Take();
        return true;
    }

    public void Expect(char punctuation)
    {
        if (!TryTake(punctuation))
        {
            throw Error($"'{punctuation}' was expected, not '{Current.Text}'");
        }
    }

    public string TakeWord()
    {
        if (Current.Kind != PtxTokenKind.Word)
        {
            throw Error($"a name was expected, not '{Current.Text}'");
        }

        return Take().Text;
    }

    public int TakeCount()
    {
        string word = TakeWord();
        return int.TryParse(word, out int count) ? count : throw Error($"a number was expected, not '{word}'");
    }

    /// <summary>Passes over the rest of the line that the current token is on: <c>.loc</c> and <c>.file</c> have no semicolon.</summary>
    public void SkipLine()
    {
        int end = _text.IndexOf('\n', Current.Start);
        _line = Current.Line;
        _position = end < 0 ? _text.Length : end;
        Current = Scan();
    }

    /// <summary>The text from a position to the end of the token in sight, on one line.</summary>
    public string TextFrom(int start) =>
        string.Join(' ', _text[start..(Current.Start + Current.Text.Length)].Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    public PtxException Error(string message) => new($"Line {Current.Line}: {message}.");

    private PtxToken Scan()
    {
        SkipBlanks();
        int start = _position;
        if (start == _text.Length)
        {
            return new(PtxTokenKind.End, "", start, _line);
        }

        char first = _text[start];
        if (first == '"')
        {
            int end = _text.IndexOf('"', start + 1);
            _position = end < 0 ? throw new PtxException($"Line {_line}: a string does not end.") : end + 1;
            return new(PtxTokenKind.Text, _text[start.._position], start, _line);
        }

        if (!IsPartOfWord(first) && first != '%')
        {
            _position++;
            return new(PtxTokenKind.Punctuation, first.ToString(), start, _line);
        }

        _position++;
        while (_position < _text.Length && ContinuesWord(start))
        {
            _position++;
        }

        return new(PtxTokenKind.Word, _text[start.._position], start, _line);
    }

    private bool ContinuesWord(int start)
    {
        char next = _text[_position];
        if (IsPartOfWord(next))
        {
            return true;
        }

        if (next == ':')
        {
            // A modifier such as L1::no_allocate; a single colon ends a label.
            return _text[_position - 1] == ':'
                || (_position + 2 < _text.Length && _text[_position + 1] == ':' && char.IsAsciiLetterOrDigit(_text[_position + 2]));
        }

        // The sign of a decimal exponent, as in 1.5e-3.
        var word = _text.AsSpan(start, _position - start);
        return next is '-' or '+' && char.IsAsciiDigit(word[0]) && (word[^1] is 'e' or 'E')
            && !word.StartsWith("0x", StringComparison.OrdinalIgnoreCase) && !word.StartsWith("0f") && !word.StartsWith("0d");
    }

    private static bool IsPartOfWord(char character) => char.IsAsciiLetterOrDigit(character) || character is '_' or '$' or '.';

    private void SkipBlanks()
    {
        while (_position < _text.Length)
        {
            if (char.IsWhiteSpace(_text[_position]))
            {
                _line += _text[_position++] == '\n' ? 1 : 0;
            }
            else if (_text.AsSpan(_position).StartsWith("//"))
            {
                int end = _text.IndexOf('\n', _position);
                _position = end < 0 ? _text.Length : end;
            }
            else if (_text.AsSpan(_position).StartsWith("/*"))
            {
                int end = _text.IndexOf("*/", _position, StringComparison.Ordinal);
                end = end < 0 ? throw new PtxException($"Line {_line}: a comment does not end.") : end + 2;
                _line += _text.AsSpan(_position, end - _position).Count('\n');
                _position = end;
            }
            else
            {
                return;
            }
        }
    }
}
