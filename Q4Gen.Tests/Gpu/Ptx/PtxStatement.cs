namespace Q4Gen.Tests.Gpu.Ptx;

internal enum PtxOperandKind
{
    /// <summary>A register, a variable, a label or a special register, with an offset if it is a variable.</summary>
    Name,
    Integer,
    Float,

    /// <summary>In brackets.</summary>
    Address,

    /// <summary>In braces.</summary>
    Vector,

    /// <summary>A register and a predicate, or two predicates, with a bar between them.</summary>
    Pair,
}

/// <summary>An operand as it is written.</summary>
internal sealed record PtxOperand(PtxOperandKind Kind)
{
    public string Name { get; init; } = "";

    public bool Negated { get; init; }

    /// <summary>The value of an integer, or what is added to a name.</summary>
    public Int128 Value { get; init; }

    public double Float { get; init; }

    /// <summary>The width in which a number in floating point is written bit by bit; 0 for a decimal number.</summary>
    public int FloatBits { get; init; }

    /// <summary>The parts of a vector or pair, and the base of an address.</summary>
    public PtxOperand[] Parts { get; init; } = [];
}

/// <summary>An instruction as it is written.</summary>
internal sealed record PtxStatement(string Text, int Line, string Mnemonic, PtxOperand[] Operands, PtxOperand? Guard);

/// <summary>Reads statements and their operands.</summary>
internal static class PtxStatementReader
{
    /// <summary>Reads an instruction with its semicolon.</summary>
    public static PtxStatement Read(PtxScanner scanner)
    {
        int start = scanner.Current.Start;
        int line = scanner.Current.Line;
        PtxOperand? guard = null;
        if (scanner.TryTake('@'))
        {
            bool negated = scanner.TryTake('!');
            guard = new(PtxOperandKind.Name) { Name = scanner.TakeWord(), Negated = negated };
        }

        string mnemonic = scanner.TakeWord();
        List<PtxOperand> operands = [];
        if (!scanner.Current.Is(';'))
        {
            do
            {
                operands.Add(Operand(scanner));
            }
            while (scanner.TryTake(','));
        }

        if (!scanner.Current.Is(';'))
        {
            throw scanner.Error($"'{scanner.TextFrom(start)}': ';' or ',' was expected, not '{scanner.Current.Text}'");
        }

        string text = scanner.TextFrom(start);
        scanner.Take();
        return new(text, line, mnemonic, [.. operands], guard);
    }

    private static PtxOperand Operand(PtxScanner scanner)
    {
        if (scanner.TryTake('{'))
        {
            List<PtxOperand> parts = [];
            do
            {
                parts.Add(Operand(scanner));
            }
            while (scanner.TryTake(','));
            scanner.Expect('}');
            return new(PtxOperandKind.Vector) { Parts = [.. parts] };
        }

        if (scanner.TryTake('['))
        {
            var address = Operand(scanner);
            scanner.Expect(']');
            return new(PtxOperandKind.Address) { Parts = [address] };
        }

        if (scanner.TryTake('!'))
        {
            return new(PtxOperandKind.Name) { Name = scanner.TakeWord(), Negated = true };
        }

        if (scanner.TryTake('-'))
        {
            var number = Number(scanner, scanner.TakeWord());
            return number with { Value = -number.Value, Float = -number.Float };
        }

        string word = scanner.TakeWord();
        if (char.IsAsciiDigit(word[0]) || word[0] == '.')
        {
            return Number(scanner, word);
        }

        var name = new PtxOperand(PtxOperandKind.Name) { Name = word };
        if (scanner.TryTake('|'))
        {
            return new(PtxOperandKind.Pair) { Parts = [name, new(PtxOperandKind.Name) { Name = scanner.TakeWord() }] };
        }

        return name with { Value = Offset(scanner) };
    }

    /// <summary>What is added to an address or to the name of a variable: <c>+16</c>, <c>-16</c>, <c>+-16</c>.</summary>
    private static Int128 Offset(PtxScanner scanner)
    {
        Int128 offset = 0;
        while (true)
        {
            Int128 sign = 1;
            if (scanner.TryTake('-'))
            {
                sign = -1;
            }
            else if (scanner.TryTake('+'))
            {
                sign = scanner.TryTake('-') ? -1 : 1;
            }
            else
            {
                return offset;
            }

            var number = Number(scanner, scanner.TakeWord());
            offset += number.Kind == PtxOperandKind.Integer ? sign * number.Value : throw scanner.Error("an offset is a whole number");
        }
    }

    private static PtxOperand Number(PtxScanner scanner, string word)
    {
        string prefix = word.Length > 2 ? word[..2].ToUpperInvariant() : "";
        string digits = word.Length > 2 ? word[2..] : "";
        const System.Globalization.NumberStyles Hexadecimal = System.Globalization.NumberStyles.AllowHexSpecifier;
        if (prefix == "0F" && digits.Length == 8 && uint.TryParse(digits, Hexadecimal, null, out uint single))
        {
            return new(PtxOperandKind.Float) { Float = BitConverter.UInt32BitsToSingle(single), FloatBits = 32, Value = single };
        }

        if (prefix == "0D" && digits.Length == 16 && ulong.TryParse(digits, Hexadecimal, null, out ulong wide))
        {
            return new(PtxOperandKind.Float) { Float = BitConverter.UInt64BitsToDouble(wide), FloatBits = 64, Value = wide };
        }

        if (prefix == "0X" && ulong.TryParse(digits.TrimEnd('U'), Hexadecimal, null, out ulong hexadecimal))
        {
            return new(PtxOperandKind.Integer) { Value = hexadecimal };
        }

        if (prefix == "0B" && ulong.TryParse(digits, System.Globalization.NumberStyles.AllowBinarySpecifier, null, out ulong binary))
        {
            return new(PtxOperandKind.Integer) { Value = binary };
        }

        // A leading zero would mean octal.
        if ((word[0] != '0' || word.Length == 1) && ulong.TryParse(word.TrimEnd('U'), out ulong value))
        {
            return new(PtxOperandKind.Integer) { Value = value };
        }

        var culture = System.Globalization.CultureInfo.InvariantCulture;
        return word.AsSpan().IndexOfAny('.', 'e') >= 0 && double.TryParse(word, culture, out double real)
            ? new(PtxOperandKind.Float) { Float = real }
            : throw scanner.Error($"'{word}' is no number");
    }
}
