using System.Buffers.Binary;

namespace Q4Gen.Import.Gguf;

/// <summary>
/// Walks a header once: magic, version, counts; metadata; tensors. All of it is checked, and nothing is kept but where
/// values and tensors are.
/// </summary>
/// <remarks>Source: the GGUF specification of the ggml project, versions 2 and 3, which have one layout.</remarks>
internal sealed class GgufHeaderReader(TensorStorage storage, string description)
{
    /// <summary>Lists in lists, far above any real one: bounds the stack that a hostile file takes.</summary>
    public const int MaxDepth = 8;

    // The specification's bound for keys; names have 64 there and more in practice.
    private const int MaxNameBytes = 65_535;
    private const int MaxDimensions = 4;
    private const int MaxEntries = 1 << 20;
    private const uint DefaultAlignment = 32;
    private const string AlignmentKey = "general.alignment";
    private const string SplitKey = "split.count";

    // An empty key, a type and one byte; an empty name, no dimensions, a type and an offset.
    private const int SmallestValue = 8 + 4 + 1;
    private const int SmallestTensor = 8 + 4 + 4 + 8;

    private readonly GgufCursor _cursor = new(storage, description, 0);

    /// <summary>2 or 3.</summary>
    public uint Version { get; private set; }

    /// <summary>What tensors' offsets are multiples of, in bytes.</summary>
    public uint Alignment { get; private set; } = DefaultAlignment;

    /// <summary>Values by key, in the file's order.</summary>
    public Dictionary<string, GgufValue> Metadata { get; } = [];

    /// <summary>Tensors in the file's order.</summary>
    public List<GgufTensor> Tensors { get; } = [];

    /// <summary>Reads all of it.</summary>
    /// <exception cref="WeightFormatException">A rule is broken, or the file has something that is not taken.</exception>
    public void Read()
    {
        ReadVersion();
        long tensors = _cursor.ReadCount(SmallestTensor, "the number of tensors");
        long values = _cursor.ReadCount(SmallestValue, "the number of metadata values");
        if (tensors > MaxEntries || values > MaxEntries)
        {
            throw _cursor.Broken($"the file says {tensors} tensors and {values} metadata values, but at most {MaxEntries} of each are taken");
        }

        for (long i = 0; i < values; i++)
        {
            ReadValue(i);
        }

        ReadAlignment();
        if (Metadata.TryGetValue(SplitKey, out GgufValue? parts) && parts.ToInt64() > 1)
        {
            throw new WeightFormatException(
                $"{description}: is one of {parts.ToInt64()} parts of a model, but a whole one is expected; put them together with llama.cpp's gguf-split --merge.");
        }

        var infos = new List<(string Name, GgufTensorType Type, long[] Shape, ulong Offset, long Bytes)>();
        var names = new HashSet<string>();
        for (long i = 0; i < tensors; i++)
        {
            infos.Add(ReadTensor(i, names));
        }

        Place(infos);
    }

    /// <summary>Passes over a value and checks that all of it is in the file.</summary>
    public static void SkipValue(GgufCursor cursor, GgufValueType type, string what, int depth)
    {
        switch (type)
        {
            case GgufValueType.Text:
                cursor.SkipText(what);
                break;
            case GgufValueType.List:
                if (depth == 0)
                {
                    throw cursor.Broken($"{what} has lists more than {MaxDepth} deep");
                }

                GgufValueType element = cursor.ReadValueType($"a list in {what}");
                long count = cursor.ReadCount(GgufTypes.Size(element), $"the length of a list in {what}");
                if (element is not (GgufValueType.Text or GgufValueType.List))
                {
                    cursor.Skip(count * GgufTypes.Size(element));
                    break;
                }

                for (long i = 0; i < count; i++)
                {
                    SkipValue(cursor, element, what, depth - 1);
                }

                break;
            default:
                cursor.Take(GgufTypes.Size(type), what);
                break;
        }
    }

    private void ReadVersion()
    {
        if (!_cursor.Take(4, "the magic").SequenceEqual("GGUF"u8))
        {
            throw _cursor.Broken("the file does not start with 'GGUF'");
        }

        Version = _cursor.ReadUInt32("the version");
        if (BinaryPrimitives.ReverseEndianness(Version) is > 0 and <= ushort.MaxValue)
        {
            throw new WeightFormatException(
                $"{description}: is a big-endian GGUF file, but only little-endian ones are taken; convert it with gguf_convert_endian.py of llama.cpp, or fetch the little-endian one.");
        }

        if (Version is not (2 or 3))
        {
            throw new WeightFormatException(
                $"{description}: has version {Version} of GGUF, but 2 and 3 are taken; {(Version == 1 ? "convert the model again with a newer llama.cpp" : GgufTypes.FetchAgain)}.");
        }
    }

    private void ReadValue(long index)
    {
        string key = _cursor.ReadText(MaxNameBytes, $"the key of metadata value {index}");
        string what = $"metadata {GgufCursor.Quote(key)}";
        GgufValueType type = _cursor.ReadValueType(what);
        long start = _cursor.Position;
        SkipValue(_cursor, type, what, MaxDepth);
        if (!Metadata.TryAdd(key, new GgufValue(storage, description, key, type, start)))
        {
            throw _cursor.Broken($"{what} is there twice, but keys are unique");
        }
    }

    private void ReadAlignment()
    {
        if (!Metadata.TryGetValue(AlignmentKey, out GgufValue? value))
        {
            return;
        }

        long alignment = value.Type == GgufValueType.UInt32 ? value.ToInt64() : 0;
        if (alignment is < 8 or > 1 << 30 || (alignment & (alignment - 1)) != 0)
        {
            throw _cursor.Broken(
                $"metadata '{AlignmentKey}' is {(value.Type == GgufValueType.UInt32 ? $"{alignment}" : value.ToString())}, but a UInt32 power of two from 8 to {1 << 30} is expected");
        }

        Alignment = (uint)alignment;
    }

    private (string Name, GgufTensorType Type, long[] Shape, ulong Offset, long Bytes) ReadTensor(long index, HashSet<string> names)
    {
        string name = _cursor.ReadText(MaxNameBytes, $"the name of tensor {index}");
        string what = $"tensor {GgufCursor.Quote(name)}";
        if (!names.Add(name))
        {
            throw _cursor.Broken($"{what} is there twice, but names are unique");
        }

        uint dimensions = _cursor.ReadUInt32($"the number of dimensions of {what}");
        if (dimensions > MaxDimensions)
        {
            throw _cursor.Broken($"{what} has {dimensions} dimensions, but tensors have at most {MaxDimensions}");
        }

        long[] shape = new long[dimensions];
        Int128 elements = 1;
        for (int i = shape.Length - 1; i >= 0; i--)
        {
            // The fastest dimension comes first in the file.
            ulong size = _cursor.ReadUInt64($"the shape of {what}");
            if (size > long.MaxValue || (elements *= size) > long.MaxValue / sizeof(double))
            {
                throw _cursor.Broken($"{what} has a dimension of {size}, whose elements overflow 64 bits");
            }

            shape[i] = (long)size;
        }

        uint number = _cursor.ReadUInt32($"the type of {what}");
        if (!GgufTypes.TryParse(number, out GgufTensorType type))
        {
            throw new WeightFormatException(
                $"{description}: {what} is {GgufTypes.Describe(number)}, but only {GgufTypes.Names()} are taken; convert the model to one of them with llama-quantize.");
        }

        (int blockElements, int blockBytes) = GgufTypes.Block(type);
        long rowElements = shape.Length == 0 ? 1 : shape[^1];
        if (rowElements % blockElements != 0)
        {
            throw _cursor.Broken($"{what} has rows of {rowElements} elements, but {type} has blocks of {blockElements}");
        }

        // An element takes four bytes at most, so this stays below what was checked above.
        long bytes = (long)elements / blockElements * blockBytes;
        return (name, type, shape, _cursor.ReadUInt64($"the offset of {what}"), bytes);
    }

    /// <summary>Where tensors are in the file: aligned, inside, and none over another.</summary>
    private void Place(List<(string Name, GgufTensorType Type, long[] Shape, ulong Offset, long Bytes)> infos)
    {
        long dataStart = (_cursor.Position + Alignment - 1) / Alignment * Alignment;
        foreach ((string name, GgufTensorType type, long[] shape, ulong offset, long bytes) in infos)
        {
            string what = $"tensor {GgufCursor.Quote(name)}";
            if (offset % Alignment != 0)
            {
                throw _cursor.Broken($"{what} starts at byte {offset} of the data, which is no multiple of the alignment, {Alignment}");
            }

            if ((Int128)dataStart + offset + bytes > storage.Length)
            {
                throw _cursor.Broken(
                    $"{what} takes {bytes} bytes from byte {offset} of the data on, but the file has only {Math.Max(0, storage.Length - dataStart)} bytes of data");
            }

            Tensors.Add(new GgufTensor(name, type, shape, dataStart + (long)offset, bytes));
        }

        GgufTensor? previous = null;
        foreach (GgufTensor tensor in Tensors.Where(tensor => tensor.ByteLength != 0).OrderBy(tensor => tensor.Start))
        {
            if (previous is not null && tensor.Start < previous.Start + previous.ByteLength)
            {
                throw _cursor.Broken(
                    $"tensor {GgufCursor.Quote(tensor.Name)} starts at byte {tensor.Start} of the file and overlaps {GgufCursor.Quote(previous.Name)}, which ends at {previous.Start + previous.ByteLength}");
            }

            previous = tensor;
        }
    }
}
