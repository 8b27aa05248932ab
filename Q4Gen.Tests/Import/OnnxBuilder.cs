using System.Text;

namespace Q4Gen.Tests.Import;

/// <summary>Messages of protocol buffers, and an ONNX model of them, from the formats' descriptions.</summary>
internal static class OnnxBuilder
{
    public static byte[] Varint(ulong value)
    {
        var bytes = new List<byte>();
        do
        {
            bytes.Add((byte)(value % 128 + (value >= 128 ? 128u : 0)));
            value /= 128;
        }
        while (value != 0);

        return [.. bytes];
    }

    public static byte[] Field(int number, long value) => [.. Varint((ulong)number * 8), .. Varint((ulong)value)];

    public static byte[] Field(int number, byte[] bytes) => [.. Varint((ulong)number * 8 + 2), .. Varint((ulong)bytes.Length), .. bytes];

    public static byte[] Field(int number, string text) => Field(number, Encoding.UTF8.GetBytes(text));

    public static byte[] Message(params byte[][] fields) => [.. fields.SelectMany(field => field)];

    /// <summary>A model of nodes and initialisers, with what other models have around them.</summary>
    public static byte[] Model(params byte[][] graphFields) => Message(
        Field(1, 10), Field(2, "test"), Field(7, Message([Field(2, "graph"), .. graphFields, Field(11, Field(1, "x"))])), Field(8, Message(Field(1, ""), Field(2, 21))));

    public static byte[] Node(string type, string[] inputs, params (string Name, long Value)[] attributes) => Field(1, Message(
        [.. inputs.Select(input => Field(1, input)), Field(2, "y"), Field(3, "/node"), Field(4, type),
            .. attributes.Select(attribute => Field(5, Message(Field(1, attribute.Name), Field(3, attribute.Value), Field(20, 2)))),
            Field(7, "com.microsoft")]));

    public static byte[] Layer(PackedLayers packed, int block, params string[] inputs) => Node(
        "MatMulNBits", inputs, ("K", packed.In), ("N", packed.Out), ("bits", 4), ("block_size", block), ("accuracy_level", 4));

    public static byte[] Initializer(string name, int type, long[] shape, byte[] data, bool packedShape = true) => Field(5, Message(
        [.. packedShape ? [Field(1, [.. shape.SelectMany(size => Varint((ulong)size))])] : shape.Select(size => Field(1, size)),
            Field(2, type), Field(8, name), Field(9, data)]));

    public static byte[] External(string name, int type, long[] shape, string location, params (string Key, string Value)[] entries) => Field(5, Message(
        [.. shape.Select(size => Field(1, size)), Field(2, type), Field(8, name), Field(14, 1), Field(13, Message(Field(1, "location"), Field(2, location))),
            .. entries.Select(entry => Field(13, Message(Field(1, entry.Key), Field(2, entry.Value))))]));

    /// <summary><c>[N, blocks, block/2]</c>, the last block filled up with anything.</summary>
    public static byte[] Weights(PackedLayers packed, int block)
    {
        var bytes = new List<byte>();
        for (int o = 0; o < packed.Out; o++)
        {
            for (int k = 0; k < packed.Groups * block; k += 2)
            {
                bytes.Add((byte)(k < packed.In ? packed.Code(o, k) + 16 * packed.Code(o, k + 1) : 0xA5));
            }
        }

        return [.. bytes];
    }

    public static byte[] Zeros(PackedLayers packed)
    {
        var bytes = new List<byte>();
        for (int o = 0; o < packed.Out; o++)
        {
            for (int g = 0; g < packed.Groups; g += 2)
            {
                bytes.Add((byte)(packed.Zero(o, g) + 16 * (g + 1 < packed.Groups ? packed.Zero(o, g + 1) : 5)));
            }
        }

        return [.. bytes];
    }

    public static byte[] Halves(PackedLayers packed, Func<int, int, double> value) =>
        [.. Enumerable.Range(0, packed.Out * packed.Groups).SelectMany(i => BitConverter.GetBytes((Half)value(i / packed.Groups, i % packed.Groups)))];

    public static byte[] Singles(PackedLayers packed, Func<int, int, double> value) =>
        [.. Enumerable.Range(0, packed.Out * packed.Groups).SelectMany(i => BitConverter.GetBytes((float)value(i / packed.Groups, i % packed.Groups)))];
}
