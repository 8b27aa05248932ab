using System.Buffers.Binary;
using System.Text.Unicode;

namespace Q4Gen.Safetensors;

/// <summary>A file's header, read by the format's strict rules: either everything in it holds, or nothing is used.</summary>
internal sealed class SafetensorsHeader
{
    private SafetensorsHeader(long dataStart, List<SafetensorsEntry> entries, Dictionary<string, string> metadata)
    {
        DataStart = dataStart;
        Entries = entries;
        Metadata = metadata;
    }

    /// <summary>Where the data starts in the file.</summary>
    public long DataStart { get; }

    /// <summary>The tensors in the order in which the header names them.</summary>
    public IReadOnlyList<SafetensorsEntry> Entries { get; }

    /// <summary>Facts about the file.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Reads and checks the header of a whole file.</summary>
    /// <exception cref="WeightFormatException">A rule is broken.</exception>
    public static SafetensorsHeader Read(TensorStorage file, string description)
    {
        if (file.Length < SafetensorsText.LengthBytes)
        {
            throw new WeightFormatException(
                $"{description}: has {file.Length} bytes, but a safetensors file starts with the {SafetensorsText.LengthBytes} bytes of its header's length; {SafetensorsText.FetchAgain}.");
        }

        ulong headerLength = BinaryPrimitives.ReadUInt64LittleEndian(file.Slice(0, SafetensorsText.LengthBytes));
        long rest = file.Length - SafetensorsText.LengthBytes;
        if (headerLength > SafetensorsText.MaxHeaderBytes)
        {
            throw new WeightFormatException(
                $"{description}: declares a header of {headerLength} bytes, but at most {SafetensorsText.MaxHeaderBytes} are allowed; {SafetensorsText.FetchAgain}.");
        }

        if ((long)headerLength > rest)
        {
            throw new WeightFormatException(
                $"{description}: declares a header of {headerLength} bytes, but only {rest} follow; {SafetensorsText.FetchAgain}.");
        }

        ReadOnlySpan<byte> json = file.Slice(SafetensorsText.LengthBytes, (int)headerLength);
        if (json.IsEmpty || json[0] != (byte)'{')
        {
            string found = json.IsEmpty ? "is empty" : $"starts with byte 0x{json[0]:x2}";
            throw new WeightFormatException(
                $"{description}: the header {found}, but '{{' (0x7b) must come first, without a byte order mark; {SafetensorsText.FetchAgain}.");
        }

        if (!Utf8.IsValid(json))
        {
            throw new WeightFormatException($"{description}: the header is not valid UTF-8; {SafetensorsText.FetchAgain}.");
        }

        var reader = new SafetensorsHeaderReader(json, description);
        reader.Read();
        CheckTiling(reader.Entries, rest - (long)headerLength, description);
        return new SafetensorsHeader(SafetensorsText.LengthBytes + (long)headerLength, reader.Entries, reader.Metadata);
    }

    /// <summary>Tensors cover the data exactly: no gap, no overlap, nothing behind the last.</summary>
    private static void CheckTiling(List<SafetensorsEntry> entries, long dataLength, string description)
    {
        // An array's own sort: of what a first load in a process compiles, ordered sequences are a tenth.
        SafetensorsEntry[] inOrder = [.. entries];
        Array.Sort(inOrder, static (a, b) => a.Begin != b.Begin ? a.Begin.CompareTo(b.Begin) : a.End.CompareTo(b.End));
        SafetensorsEntry? previous = null;
        foreach (SafetensorsEntry entry in inOrder)
        {
            if (entry.End > dataLength)
            {
                throw new WeightFormatException(
                    $"{description}: tensor {SafetensorsText.Quote(entry.Name)} ends at byte {entry.End} of the data, but the file has only {dataLength} bytes of data; {SafetensorsText.FetchAgain}.");
            }

            long expected = previous?.End ?? 0;
            if (entry.Begin != expected)
            {
                string what = entry.Begin < expected
                    ? $"overlaps {SafetensorsText.Quote(previous!.Name)}, which ends at {expected}"
                    : $"leaves a gap behind byte {expected}, where {(previous == null ? "the data starts" : $"{SafetensorsText.Quote(previous.Name)} ends")}";
                throw new WeightFormatException(
                    $"{description}: tensor {SafetensorsText.Quote(entry.Name)} starts at byte {entry.Begin} of the data and {what}, but tensors must follow one another exactly; {SafetensorsText.FetchAgain}.");
            }

            previous = entry;
        }

        long end = previous?.End ?? 0;
        if (end != dataLength)
        {
            throw new WeightFormatException(
                $"{description}: has {dataLength} bytes of data, but its tensors end at byte {end}: {dataLength - end} bytes belong to none; {SafetensorsText.FetchAgain}.");
        }
    }
}
