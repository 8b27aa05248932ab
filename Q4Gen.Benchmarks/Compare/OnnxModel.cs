using System.Runtime.InteropServices;
using Google.Protobuf;

namespace Q4Gen.Benchmarks.Compare;

/// <summary>
/// An ONNX model of <c>com.microsoft.MatMulNBits</c> nodes, <c>y[M, out] = x[M, in] · Wᵀ</c>, as a protobuf message. Field
/// numbers are those of onnx.proto3.
/// </summary>
internal static class OnnxModel
{
    /// <summary>The name of the input.</summary>
    public const string Input = "x";

    /// <summary>The name of the output.</summary>
    public const string Output = "y";

    private const int IrVersion = 9;
    private const int OnnxOpset = 17;
    private const int MicrosoftOpset = 1;
    private const string MicrosoftDomain = "com.microsoft";
    private const int Float = 1;
    private const int UInt8 = 2;
    private const int IntAttribute = 2;

    /// <summary>The model of a layer.</summary>
    /// <param name="shape">The shape; In must be a multiple of Group.</param>
    /// <param name="weights">Nibbles <c>[out, in/2]</c>, which the operator calls <c>[N, K / block, block / 2]</c>: the same bytes, with 8 as its default zero point.</param>
    /// <param name="scales"><c>[out, groups]</c>; the operator takes them in float32.</param>
    /// <param name="accuracyLevel">1 computes in float32, 4 with activations in int8.</param>
    public static byte[] Create(Linear4BitShape shape, ReadOnlyMemory<byte> weights, ReadOnlySpan<Half> scales, int accuracyLevel)
    {
        Message graph = new Message().Add(2, "one layer");
        AddLayer(graph, shape, weights, scales, accuracyLevel, "layer", Input, Output);
        return Wrap(graph.Add(11, Value(Input, shape.In)));
    }

    /// <summary>
    /// The model of many layers that do not depend on each other: all of one In share the input <see cref="InputOf"/>, and
    /// each has an output of its own, so that none is optimised away.
    /// </summary>
    /// <param name="layers">As <see cref="Create"/> takes them.</param>
    /// <param name="accuracyLevel">1 computes in float32, 4 with activations in int8.</param>
    public static byte[] CreateMany(IReadOnlyList<(Linear4BitShape Shape, byte[] Weights, Half[] Scales)> layers, int accuracyLevel)
    {
        Message graph = new Message().Add(2, "layers");
        for (int i = 0; i < layers.Count; i++)
        {
            (Linear4BitShape shape, byte[] weights, Half[] scales) = layers[i];
            AddLayer(graph, shape, weights, scales, accuracyLevel, $"layer{i}", InputOf(shape.In), $"y{i}");
        }

        foreach (int columns in layers.Select(static layer => layer.Shape.In).Distinct())
        {
            graph.Add(11, Value(InputOf(columns), columns));
        }

        return Wrap(graph);
    }

    /// <summary>The input of layers with so many columns, in a model of many.</summary>
    public static string InputOf(int columns) => FormattableString.Invariant($"x{columns}");

    private static void AddLayer(
        Message graph, Linear4BitShape shape, ReadOnlyMemory<byte> weights, ReadOnlySpan<Half> scales, int accuracyLevel, string name, string input, string output)
    {
        var single = new float[scales.Length];
        System.Numerics.Tensors.TensorPrimitives.ConvertToSingle(scales, single);
        Message node = new Message()
            .Add(1, input).Add(1, name + ".B").Add(1, name + ".scales")
            .Add(2, output)
            .Add(3, name)
            .Add(4, "MatMulNBits")
            .Add(5, Attribute("K", shape.In))
            .Add(5, Attribute("N", shape.Out))
            .Add(5, Attribute("bits", 4))
            .Add(5, Attribute("block_size", shape.Group))
            .Add(5, Attribute("accuracy_level", accuracyLevel))
            .Add(7, MicrosoftDomain);
        graph
            .Add(1, node)
            .Add(5, Tensor(name + ".B", UInt8, weights, shape.Out, shape.Groups, shape.Group / 2))
            .Add(5, Tensor(name + ".scales", Float, MemoryMarshal.AsBytes<float>(single).ToArray(), single.Length))
            .Add(12, Value(output, shape.Out));
    }

    private static byte[] Wrap(Message graph) => new Message()
        .Add(1, IrVersion)
        .Add(7, graph)
        .Add(8, new Message().Add(1, "").Add(2, OnnxOpset))
        .Add(8, new Message().Add(1, MicrosoftDomain).Add(2, MicrosoftOpset))
        .ToArray();

    private static Message Attribute(string name, long value) => new Message().Add(1, name).Add(3, value).Add(20, IntAttribute);

    private static Message Tensor(string name, int type, ReadOnlyMemory<byte> data, params ReadOnlySpan<long> sizes)
    {
        var tensor = new Message();
        foreach (long size in sizes)
        {
            tensor.Add(1, size);
        }

        return tensor.Add(2, type).Add(8, name).Add(9, UnsafeByteOperations.UnsafeWrap(data));
    }

    /// <summary>A float matrix of any number of rows.</summary>
    private static Message Value(string name, long columns)
    {
        Message shape = new Message()
            .Add(1, new Message().Add(2, "M"))
            .Add(1, new Message().Add(1, columns));
        return new Message().Add(1, name).Add(2, new Message().Add(1, new Message().Add(1, Float).Add(2, shape)));
    }

    /// <summary>A protobuf message under construction.</summary>
    private sealed class Message
    {
        private readonly MemoryStream _bytes = new();
        private readonly CodedOutputStream _output;

        public Message() => _output = new CodedOutputStream(_bytes);

        public Message Add(int field, long value)
        {
            _output.WriteTag(field, WireFormat.WireType.Varint);
            _output.WriteInt64(value);
            return this;
        }

        public Message Add(int field, string value)
        {
            _output.WriteTag(field, WireFormat.WireType.LengthDelimited);
            _output.WriteString(value);
            return this;
        }

        public Message Add(int field, ByteString value)
        {
            _output.WriteTag(field, WireFormat.WireType.LengthDelimited);
            _output.WriteBytes(value);
            return this;
        }

        public Message Add(int field, Message value) => Add(field, UnsafeByteOperations.UnsafeWrap(value.ToArray()));

        public byte[] ToArray()
        {
            _output.Flush();
            return _bytes.ToArray();
        }
    }
}
