using System.Text;
using Q4Gen.Import.Gguf;

namespace Q4Gen.Tests.Import;

/// <summary>Writes small GGUF files from the format's description, right ones unless told otherwise.</summary>
internal sealed class GgufBuilder
{
    private readonly MemoryStream _values = new();
    private readonly List<(byte[] Name, ulong[] Sizes, uint Type, byte[] Data, ulong? Offset)> _tensors = [];
    private ulong _valueCount;

    public string Magic { get; init; } = "GGUF";

    public uint Version { get; init; } = 3;

    public int Alignment { get; init; } = 32;

    public ulong? TensorCount { get; init; }

    public ulong? ValueCount { get; init; }

    public int CutAtEnd { get; init; }

    public GgufBuilder Value(string key, uint type, byte[] payload) => Value(Encoding.UTF8.GetBytes(key), type, payload);

    public GgufBuilder Value(byte[] key, uint type, byte[] payload)
    {
        _values.Write(Text(key));
        _values.Write(BitConverter.GetBytes(type));
        _values.Write(payload);
        _valueCount++;
        return this;
    }

    public GgufBuilder Value(string key, string text) => Value(key, (uint)GgufValueType.Text, Text(text));

    public GgufBuilder Value(string key, uint number) => Value(key, (uint)GgufValueType.UInt32, BitConverter.GetBytes(number));

    public GgufBuilder List(string key, uint elementType, ulong count, byte[] elements) =>
        Value(key, (uint)GgufValueType.List, ListPayload(elementType, count, elements));

    /// <summary>A tensor with sizes in the file's order, the fastest first.</summary>
    public GgufBuilder Tensor(string name, GgufTensorType type, ulong[] sizes, byte[] data, ulong? offset = null) =>
        Tensor(Encoding.UTF8.GetBytes(name), (uint)type, sizes, data, offset);

    public GgufBuilder Tensor(byte[] name, uint type, ulong[] sizes, byte[] data, ulong? offset = null)
    {
        _tensors.Add((name, sizes, type, data, offset));
        return this;
    }

    public byte[] Build()
    {
        var header = new MemoryStream();
        var writer = new BinaryWriter(header);
        writer.Write(Encoding.ASCII.GetBytes(Magic));
        writer.Write(Version);
        writer.Write(TensorCount ?? (ulong)_tensors.Count);
        writer.Write(ValueCount ?? _valueCount);
        writer.Write(_values.ToArray());
        var data = new MemoryStream();
        foreach ((byte[] name, ulong[] sizes, uint type, byte[] bytes, ulong? offset) in _tensors)
        {
            Pad(data);
            writer.Write(Text(name));
            writer.Write((uint)sizes.Length);
            foreach (ulong size in sizes)
            {
                writer.Write(size);
            }

            writer.Write(type);
            writer.Write(offset ?? (ulong)data.Length);
            data.Write(bytes);
        }

        if (_tensors.Count != 0)
        {
            Pad(header);
        }

        byte[] file = [.. header.ToArray(), .. data.ToArray()];
        return file[..^CutAtEnd];
    }

    public static byte[] Text(string text) => Text(Encoding.UTF8.GetBytes(text));

    public static byte[] Text(byte[] text) => [.. BitConverter.GetBytes((ulong)text.Length), .. text];

    public static byte[] ListPayload(uint elementType, ulong count, byte[] elements) =>
        [.. BitConverter.GetBytes(elementType), .. BitConverter.GetBytes(count), .. elements];

    private void Pad(MemoryStream stream)
    {
        while (stream.Length % Alignment != 0)
        {
            stream.WriteByte(0);
        }
    }
}
