using System.Text.Json;

namespace Q4Gen.Safetensors;

/// <summary>
/// Walks a header's JSON once: <c>{"__metadata__": {string: string}, name: {"dtype", "shape", "data_offsets"}}</c>,
/// every key once, nothing else.
/// </summary>
internal ref struct SafetensorsHeaderReader
{
    // Header, tensor, list; anything deeper is no header.
    private const int MaxDepth = 3;

    private readonly string _description;
    private readonly HashSet<string> _names = [];
    private Utf8JsonReader _json;

    /// <summary>Starts on a header's bytes.</summary>
    public SafetensorsHeaderReader(ReadOnlySpan<byte> json, string description)
    {
        _json = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = MaxDepth });
        _description = description;
    }

    /// <summary>The tensors, in the header's order.</summary>
    public List<SafetensorsEntry> Entries { get; } = [];

    /// <summary>Facts about the file.</summary>
    public Dictionary<string, string> Metadata { get; } = [];

    /// <summary>Reads all of it.</summary>
    /// <exception cref="WeightFormatException">The header breaks a rule.</exception>
    public void Read()
    {
        try
        {
            Next();
            while (Next() == JsonTokenType.PropertyName)
            {
                string name = Text();
                if (!_names.Add(name))
                {
                    throw Broken($"the header names {SafetensorsText.Quote(name)} twice, but names are unique");
                }

                if (name == SafetensorsText.MetadataKey)
                {
                    ReadMetadata();
                }
                else
                {
                    Entries.Add(ReadTensor(name));
                }
            }

            // The reader itself rejects anything but white space behind the object.
            Next();
        }
        catch (JsonException e)
        {
            throw new WeightFormatException(
                $"{_description}: the header is not the JSON of a safetensors file: {e.Message} {Capital(SafetensorsText.FetchAgain)}.", e);
        }
    }

    private static string Capital(string text) => char.ToUpperInvariant(text[0]) + text[1..];

    private void ReadMetadata()
    {
        Expect(JsonTokenType.StartObject, SafetensorsText.MetadataKey, "an object of strings");
        while (Next() == JsonTokenType.PropertyName)
        {
            string key = Text();
            if (Next() != JsonTokenType.String)
            {
                throw Unexpected(SafetensorsText.MetadataKey, $"a string under {SafetensorsText.Quote(key)}");
            }

            if (!Metadata.TryAdd(key, Text()))
            {
                throw Broken($"{SafetensorsText.MetadataKey} has {SafetensorsText.Quote(key)} twice, but keys are unique");
            }
        }
    }

    private SafetensorsEntry ReadTensor(string name)
    {
        TensorType? type = null;
        long[]? shape = null;
        long[]? offsets = null;
        Expect(JsonTokenType.StartObject, name, "an object with dtype, shape and data_offsets");
        while (Next() == JsonTokenType.PropertyName)
        {
            string field = Text();
            bool first = field switch
            {
                "dtype" => type == null,
                "shape" => shape == null,
                "data_offsets" => offsets == null,
                _ => throw Broken($"tensor {SafetensorsText.Quote(name)} has a field {SafetensorsText.Quote(field)}, but dtype, shape and data_offsets are all that a tensor has"),
            };
            if (!first)
            {
                throw Broken($"tensor {SafetensorsText.Quote(name)} has {field} twice, but fields are unique");
            }

            switch (field)
            {
                case "dtype":
                    type = ReadType(name);
                    break;
                case "shape":
                    shape = ReadIntegers(name, field);
                    break;
                default:
                    offsets = ReadIntegers(name, field);
                    break;
            }
        }

        if (type == null || shape == null || offsets == null)
        {
            string missing = type == null ? "dtype" : shape == null ? "shape" : "data_offsets";
            throw Broken($"tensor {SafetensorsText.Quote(name)} has no {missing}");
        }

        return Check(name, type.Value, shape, offsets);
    }

    private readonly SafetensorsEntry Check(string name, TensorType type, long[] shape, long[] offsets)
    {
        if (offsets.Length != 2 || offsets[0] > offsets[1])
        {
            throw Broken($"tensor {SafetensorsText.Quote(name)} has data_offsets {WeightTensor.DescribeShape(offsets)}, but [begin, end] with begin ≤ end is expected");
        }

        if (!WeightTensor.TryCountBytes(type, shape, out long expected))
        {
            throw Broken($"tensor {SafetensorsText.Quote(name)} has shape {WeightTensor.DescribeShape(shape)}, whose {type} elements overflow 64 bits");
        }

        long found = offsets[1] - offsets[0];
        if (found != expected)
        {
            throw Broken($"tensor {SafetensorsText.Quote(name)} has data_offsets {WeightTensor.DescribeShape(offsets)}, {found} bytes, but {type} {WeightTensor.DescribeShape(shape)} takes {expected}");
        }

        return new SafetensorsEntry(name, type, shape, offsets[0], offsets[1]);
    }

    private TensorType ReadType(string name)
    {
        Expect(JsonTokenType.String, name, "a string as dtype");
        string text = Text();
        return SafetensorsText.TryParseType(text, out TensorType type)
            ? type
            : throw Broken($"tensor {SafetensorsText.Quote(name)} has dtype {SafetensorsText.Quote(text)}, but only {SafetensorsText.TypeNames()} are known", "convert the tensor to one of them");
    }

    private long[] ReadIntegers(string name, string field)
    {
        if (Next() != JsonTokenType.StartArray)
        {
            throw Unexpected(name, $"a list of non-negative integers as {field}");
        }

        Span<long> values = stackalloc long[SafetensorsText.MaxRank];
        int count = 0;
        while (Next() != JsonTokenType.EndArray)
        {
            if (_json.TokenType != JsonTokenType.Number || _json.ValueSpan[0] == (byte)'-' || !_json.TryGetInt64(out long value))
            {
                throw Broken($"tensor {SafetensorsText.Quote(name)} has {Found()} in {field}, but only non-negative integers below 2^63 are expected");
            }

            if (count == values.Length)
            {
                throw Broken($"tensor {SafetensorsText.Quote(name)} has more than {SafetensorsText.MaxRank} numbers in {field}");
            }

            values[count++] = value;
        }

        return values[..count].ToArray();
    }

    private JsonTokenType Next() => _json.Read() ? _json.TokenType : JsonTokenType.None;

    private void Expect(JsonTokenType type, string name, string expected)
    {
        if (Next() != type)
        {
            throw Unexpected(name, expected);
        }
    }

    private readonly WeightFormatException Unexpected(string name, string expected) =>
        Broken($"{(name == SafetensorsText.MetadataKey ? name : $"tensor {SafetensorsText.Quote(name)}")} has {Found()}, but {expected} is expected");

    private readonly string Found() => _json.TokenType switch
    {
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "a list",
        JsonTokenType.String => "a string",
        JsonTokenType.Number => $"the number {SafetensorsText.Quote(System.Text.Encoding.UTF8.GetString(_json.ValueSpan))}",
        JsonTokenType.Null => "null",
        _ => "a truth value",
    };

    private readonly string Text()
    {
        try
        {
            return _json.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            // An escaped half of a surrogate pair passes as JSON but is no text.
            throw new WeightFormatException(
                $"{_description}: the header has a string that is not valid Unicode near byte {_json.TokenStartIndex}; {SafetensorsText.FetchAgain}.", e);
        }
    }

    private readonly WeightFormatException Broken(string rule, string toDo = SafetensorsText.FetchAgain) =>
        new($"{_description}: {rule}; {toDo}.");
}
