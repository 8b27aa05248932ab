using System.Buffers.Binary;
using System.Text;
using System.Text.Json;

namespace Q4Gen.Safetensors;

/// <summary>Writes headers: the same tensors give the same bytes.</summary>
internal static class SafetensorsHeaderWriter
{
    /// <summary>The header's length and the header, padded with spaces so that the data starts at a multiple of <paramref name="alignment"/>.</summary>
    /// <param name="tensors">The tensors, with their places in the data.</param>
    /// <param name="metadata">Facts about the file; none where null.</param>
    /// <param name="alignment">Bytes.</param>
    /// <exception cref="ArgumentException">The header is longer than the format allows, or a text is no valid Unicode.</exception>
    public static byte[] Write(IEnumerable<SafetensorsEntry> tensors, IReadOnlyDictionary<string, string>? metadata, int alignment)
    {
        using var buffer = new MemoryStream();
        buffer.Write(stackalloc byte[SafetensorsText.LengthBytes]);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            if (metadata is { Count: > 0 })
            {
                WriteMetadata(json, metadata);
            }

            foreach (SafetensorsEntry tensor in tensors)
            {
                WriteEntry(json, tensor);
            }

            json.WriteEndObject();
        }

        while (buffer.Length % alignment != 0)
        {
            buffer.WriteByte((byte)' ');
        }

        long length = buffer.Length - SafetensorsText.LengthBytes;
        if (length > SafetensorsText.MaxHeaderBytes)
        {
            throw new ArgumentException(
                $"The header would take {length} bytes, but the format allows {SafetensorsText.MaxHeaderBytes}; write several files.", nameof(tensors));
        }

        byte[] header = buffer.ToArray();
        BinaryPrimitives.WriteInt64LittleEndian(header, length);
        return header;
    }

    /// <summary>Throws where a text cannot be in a file.</summary>
    /// <exception cref="ArgumentException">It is no valid Unicode.</exception>
    public static void CheckUnicode(string text, string parameter)
    {
        for (int i = 0; i < text.Length; i += char.IsSurrogate(text[i]) ? 2 : 1)
        {
            if (!Rune.TryGetRuneAt(text, i, out _))
            {
                throw new ArgumentException($"{SafetensorsText.Quote(text)} is no valid Unicode, so no file can hold it.", parameter);
            }
        }
    }

    private static void WriteMetadata(Utf8JsonWriter json, IReadOnlyDictionary<string, string> metadata)
    {
        json.WriteStartObject(SafetensorsText.MetadataKey);
        foreach ((string key, string value) in metadata.OrderBy(fact => fact.Key, StringComparer.Ordinal))
        {
            CheckUnicode(key, nameof(metadata));
            CheckUnicode(value ?? throw new ArgumentException($"Metadata {SafetensorsText.Quote(key)} is null; leave it out.", nameof(metadata)), nameof(metadata));
            json.WriteString(key, value);
        }

        json.WriteEndObject();
    }

    private static void WriteEntry(Utf8JsonWriter json, SafetensorsEntry tensor)
    {
        json.WriteStartObject(tensor.Name);
        json.WriteString("dtype", SafetensorsText.TypeName(tensor.Type));
        WriteIntegers(json, "shape", tensor.Shape);
        WriteIntegers(json, "data_offsets", [tensor.Begin, tensor.End]);
        json.WriteEndObject();
    }

    private static void WriteIntegers(Utf8JsonWriter json, string field, long[] values)
    {
        json.WriteStartArray(field);
        foreach (long value in values)
        {
            json.WriteNumberValue(value);
        }

        json.WriteEndArray();
    }
}
