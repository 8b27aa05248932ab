using System.Buffers.Binary;

namespace Q4Gen.Import.Gguf;

/// <summary>
/// A metadata value. Nothing of it is in memory before it is asked for, and it can be asked for until the file is disposed.
/// </summary>
public sealed class GgufValue
{
    // Chat templates and whole tokenizers as JSON are the longest that there are.
    private const int MaxTextBytes = 1 << 26;

    private readonly TensorStorage _storage;
    private readonly string _description;
    private readonly string _key;
    private readonly long _start;

    private delegate T ReadElement<T>(GgufValue list, ReadOnlySpan<byte> bytes);

    internal GgufValue(TensorStorage storage, string description, string key, GgufValueType type, long start)
    {
        _storage = storage;
        _description = description;
        _key = key;
        _start = start;
        Type = type;
        if (type == GgufValueType.List)
        {
            ReadOnlySpan<byte> head = storage.Slice(start, GgufTypes.Size(type));
            ElementType = (GgufValueType)BinaryPrimitives.ReadUInt32LittleEndian(head);
            Count = BinaryPrimitives.ReadInt64LittleEndian(head[sizeof(uint)..]);
        }
    }

    /// <summary>The value's type.</summary>
    public GgufValueType Type { get; }

    /// <summary>The type of a list's values; null for everything else.</summary>
    public GgufValueType? ElementType { get; }

    /// <summary>The number of a list's values; 0 for everything else.</summary>
    public long Count { get; }

    /// <summary>Bytes of a text.</summary>
    internal long TextLength => BinaryPrimitives.ReadInt64LittleEndian(Bytes());

    /// <summary>An unsigned integer of 64 bits.</summary>
    internal ulong ToUInt64() => BinaryPrimitives.ReadUInt64LittleEndian(Bytes());

    /// <summary>An integer of any type.</summary>
    /// <exception cref="WeightFormatException">The value is none, or above 2⁶³ − 1.</exception>
    public long ToInt64() => ReadInteger(Type, Type == GgufValueType.List ? [] : Bytes());

    /// <summary>A float or an integer.</summary>
    /// <exception cref="WeightFormatException">The value is neither.</exception>
    public double ToDouble() => ReadNumber(Type, Type == GgufValueType.List ? [] : Bytes());

    /// <summary>A truth value.</summary>
    /// <exception cref="WeightFormatException">The value is none.</exception>
    public bool ToBoolean() => Type != GgufValueType.Bool
        ? throw Unfit("a truth value")
        : Bytes()[0] switch
        {
            0 => false,
            1 => true,
            byte other => throw new WeightFormatException($"{_description}: {Named()} has a byte {other} for a truth value, but 0 or 1 is expected; {GgufTypes.FetchAgain}."),
        };

    /// <summary>A text.</summary>
    /// <exception cref="WeightFormatException">The value is none, or not valid UTF-8: some vocabularies hold bytes, see <see cref="ToBytes"/>.</exception>
    public string ToText() => Type == GgufValueType.Text ? Cursor().ReadText(MaxTextBytes, Named()) : throw Unfit("a text");

    /// <summary>A text's bytes, whatever they are.</summary>
    /// <exception cref="WeightFormatException">The value is no text.</exception>
    public byte[] ToBytes() => Type == GgufValueType.Text ? Cursor().ReadBytes(MaxTextBytes, Named()) : throw Unfit("a text");

    /// <summary>The values of a list of texts, such as <c>tokenizer.ggml.tokens</c>.</summary>
    /// <exception cref="WeightFormatException">The value is no such list, or a text is not valid UTF-8.</exception>
    public IReadOnlyList<string> ToTexts()
    {
        GgufCursor cursor = Elements(GgufValueType.Text, "a list of texts");
        var texts = new List<string>();
        for (long i = 0; i < Count; i++)
        {
            texts.Add(cursor.ReadText(MaxTextBytes, Named()));
        }

        return texts;
    }

    /// <summary>The values of any list.</summary>
    /// <exception cref="WeightFormatException">The value is no list.</exception>
    public IReadOnlyList<GgufValue> ToList()
    {
        GgufCursor cursor = Elements(ElementType ?? GgufValueType.List, "a list");
        var values = new List<GgufValue>();
        for (long i = 0; i < Count; i++)
        {
            values.Add(new GgufValue(_storage, _description, _key, ElementType!.Value, cursor.Position));
            GgufHeaderReader.SkipValue(cursor, ElementType.Value, Named(), GgufHeaderReader.MaxDepth);
        }

        return values;
    }

    /// <summary>The values of a list of numbers, such as <c>tokenizer.ggml.scores</c>.</summary>
    /// <exception cref="WeightFormatException">The value is no such list.</exception>
    public double[] ToDoubles() => ReadAll(static (value, bytes) => value.ReadNumber(value.ElementType!.Value, bytes));

    /// <summary>The values of a list of integers, such as <c>tokenizer.ggml.token_type</c>.</summary>
    /// <exception cref="WeightFormatException">The value is no such list.</exception>
    public long[] ToInt64s() => ReadAll(static (value, bytes) => value.ReadInteger(value.ElementType!.Value, bytes));

    /// <summary><c>UInt32</c>, or <c>List of 32000 Text</c>.</summary>
    public override string ToString() => ElementType is null ? $"{Type}" : $"{Type} of {Count} {ElementType}";

    private T[] ReadAll<T>(ReadElement<T> read)
    {
        GgufCursor cursor = Elements(ElementType ?? GgufValueType.List, "a list");
        int size = ElementType is GgufValueType.Text or GgufValueType.List ? throw Unfit("a list of numbers") : GgufTypes.Size(ElementType!.Value);
        var values = new T[Count];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = read(this, cursor.Take(size, Named()));
        }

        return values;
    }

    private long ReadInteger(GgufValueType type, ReadOnlySpan<byte> bytes) => type switch
    {
        GgufValueType.UInt8 => bytes[0],
        GgufValueType.Int8 => (sbyte)bytes[0],
        GgufValueType.UInt16 => BinaryPrimitives.ReadUInt16LittleEndian(bytes),
        GgufValueType.Int16 => BinaryPrimitives.ReadInt16LittleEndian(bytes),
        GgufValueType.UInt32 => BinaryPrimitives.ReadUInt32LittleEndian(bytes),
        GgufValueType.Int32 => BinaryPrimitives.ReadInt32LittleEndian(bytes),
        GgufValueType.Int64 => BinaryPrimitives.ReadInt64LittleEndian(bytes),
        GgufValueType.UInt64 when BinaryPrimitives.ReadUInt64LittleEndian(bytes) <= long.MaxValue => BinaryPrimitives.ReadInt64LittleEndian(bytes),
        GgufValueType.UInt64 => throw Unfit("an integer below 2^63"),
        _ => throw Unfit("an integer"),
    };

    private double ReadNumber(GgufValueType type, ReadOnlySpan<byte> bytes) => type switch
    {
        GgufValueType.Float32 => BinaryPrimitives.ReadSingleLittleEndian(bytes),
        GgufValueType.Float64 => BinaryPrimitives.ReadDoubleLittleEndian(bytes),
        GgufValueType.Bool or GgufValueType.Text or GgufValueType.List => throw Unfit("a number"),
        _ => ReadInteger(type, bytes),
    };

    private GgufCursor Cursor() => new(_storage, _description, _start);

    private ReadOnlySpan<byte> Bytes() => _storage.Slice(_start, GgufTypes.Size(Type));

    private GgufCursor Elements(GgufValueType type, string expected)
    {
        if (ElementType != type)
        {
            throw Unfit(expected);
        }

        GgufCursor cursor = Cursor();
        cursor.Skip(GgufTypes.Size(GgufValueType.List));
        return cursor;
    }

    private string Named() => $"metadata {GgufCursor.Quote(_key)}";

    private WeightFormatException Unfit(string expected) =>
        new($"{_description}: {Named()} is {this}, but {expected} is expected; ask for what it is, or fetch the file again.");
}
