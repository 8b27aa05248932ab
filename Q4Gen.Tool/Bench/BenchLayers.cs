using Q4Gen.Import;
using Q4Gen.Kernels;
using Q4Gen.Packing;

namespace Q4Gen.Tool.Bench;

/// <summary>What is timed together: layers of one shape, with or without bias, offsets and an order of their own.</summary>
/// <param name="Shape">In, Out and Group, where a group is no longer than a row.</param>
/// <param name="HasBias">Whether there is a bias.</param>
/// <param name="IsAffine">Whether groups have offsets.</param>
/// <param name="HasInputOrder">Whether columns are in another order than inputs.</param>
internal readonly record struct LayerKind(Linear4BitShape Shape, bool HasBias, bool IsAffine, bool HasInputOrder)
{
    /// <summary>The kind of a layer.</summary>
    public static LayerKind Of(LinearLayer layer) =>
        new(layer.Shape with { Group = Math.Min(layer.Shape.Group, layer.Shape.In) }, layer.HasBias, layer.IsAffine, layer.HasInputOrder);

    /// <summary>Bytes that a call must read: nibbles, F16 scales and offsets, float32 bias, the order's 32-bit numbers.</summary>
    public long Bytes => Shape.WeightBytes + sizeof(short) * Shape.ScaleCount * (IsAffine ? 2 : 1)
        + (HasBias ? sizeof(float) * (long)Shape.Out : 0) + (HasInputOrder ? sizeof(int) * (long)Shape.In : 0);
}

/// <summary>
/// Layers of one kind with random weights, as many as keep them out of caches, each on its exact kernel and on the one for
/// 8-bit activations; the two share their weights.
/// </summary>
internal sealed class BenchLayers : IDisposable
{
    private readonly Linear4Bit[] _exact;
    private readonly Linear4Bit[] _int8;

    /// <summary>Packs one layer and copies it.</summary>
    public BenchLayers(LayerKind kind, int copies, KernelFamily exact, KernelFamily int8)
    {
        Kind = kind;
        ExactKernel = exact.Best;
        Int8Kernel = int8.Best;
        _exact = new Linear4Bit[copies];
        _int8 = new Linear4Bit[copies];
        PackedWeights first = Random(kind);
        for (int i = 0; i < copies; i++)
        {
            PackedWeights weights = i == 0 ? first : Copy(first);
            _exact[i] = new Linear4Bit(ExactKernel, weights);
            _int8[i] = new Linear4Bit(Int8Kernel, weights);
        }

        X = new float[kind.Shape.In];
        Y = new float[kind.Shape.Out];
        var random = new Random(2);
        foreach (ref float x in X.AsSpan())
        {
            x = random.NextSingle() * 2 - 1;
        }
    }

    public LayerKind Kind { get; }

    public Linear4BitKernel ExactKernel { get; }

    public Linear4BitKernel Int8Kernel { get; }

    /// <summary>A row of activations.</summary>
    public float[] X { get; }

    /// <summary>The outputs of the last call.</summary>
    public float[] Y { get; }

    public int Copies => _exact.Length;

    /// <summary>One call.</summary>
    public void Run(Linear4BitPrecision precision, int copy) =>
        (precision == Linear4BitPrecision.Exact ? _exact : _int8)[copy].Forward(X, Y);

    public void Dispose()
    {
        foreach (Linear4Bit layer in _exact.Concat(_int8))
        {
            layer.Dispose();
        }
    }

    private static PackedWeights Random(LayerKind kind)
    {
        var random = new Random(1);
        var weights = new byte[kind.Shape.WeightBytes];
        random.NextBytes(weights);
        var scales = new Half[kind.Shape.ScaleCount];
        foreach (ref Half scale in scales.AsSpan())
        {
            scale = (Half)((random.NextSingle() + 0.5f) * 0.01f);
        }

        int[] order = [.. Enumerable.Range(0, kind.HasInputOrder ? kind.Shape.In : 0)];
        random.Shuffle(order);
        return PanelPacker.Pack(kind.Shape, weights, scales, kind.HasBias ? new float[kind.Shape.Out] : [], kind.IsAffine ? scales : [], order);
    }

    /// <summary>The same weights elsewhere in memory.</summary>
    internal static unsafe PackedWeights Copy(PackedWeights weights)
    {
        var copy = new PackedWeights(weights.Shape, weights.HasBias, weights.IsAffine, weights.HasInputOrder);
        Buffer.MemoryCopy(weights.Words(0), copy.Words(0), copy.ByteLength, weights.ByteLength);
        return copy;
    }
}
