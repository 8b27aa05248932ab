using Q4Gen.Kernels;
using Q4Gen.Packing;
using Q4Gen.Tool.Bench;

namespace Q4Gen.Tool.Tune;

/// <summary>Random weights of one shape, in as many copies as keep them out of caches, and rows of activations.</summary>
internal sealed class TuneWeights : IDisposable
{
    /// <summary>More copies of tiny layers would not fill a cache either.</summary>
    private const int MaxCopies = 256;

    private readonly byte[] _weights;
    private readonly Half[] _scales;
    private readonly PackedWeights[] _copies;
    private int _next;

    /// <summary>Weights whose copies take <paramref name="coldBytes"/> together.</summary>
    public TuneWeights(Linear4BitShape shape, int maxRows, long coldBytes)
    {
        Shape = shape;
        var random = new Random(1);
        _weights = new byte[shape.WeightBytes];
        random.NextBytes(_weights);
        _scales = new Half[shape.ScaleCount];
        foreach (ref Half scale in _scales.AsSpan())
        {
            scale = (Half)((random.NextSingle() + 0.5f) * 0.01f);
        }

        X = new float[(long)maxRows * shape.In];
        Y = new float[(long)maxRows * shape.Out];
        foreach (ref float x in X.AsSpan())
        {
            x = random.NextSingle() * 2 - 1;
        }

        PackedWeights first = PanelPacker.Pack(shape, _weights, _scales, []);
        _copies = new PackedWeights[(int)Math.Clamp((coldBytes + first.ByteLength - 1) / first.ByteLength, 1, MaxCopies)];
        for (int i = 0; i < _copies.Length; i++)
        {
            _copies[i] = i == 0 ? first : BenchLayers.Copy(first);
            _copies[i].AddReference();
        }
    }

    public Linear4BitShape Shape { get; }

    /// <summary>Activations of the most rows that are asked for.</summary>
    public float[] X { get; }

    /// <summary>The outputs of the last call.</summary>
    public float[] Y { get; }

    /// <summary>Bytes of one copy.</summary>
    public long Bytes => _copies[0].ByteLength;

    /// <summary>Layers of all copies on one kernel; they share the copies with those on other kernels.</summary>
    public Linear4Bit[] LayersOn(Linear4BitKernel kernel) => [.. _copies.Select(copy => new Linear4Bit(kernel, copy))];

    /// <summary>A layer of one copy.</summary>
    public Linear4Bit LayerOn(Linear4BitKernel kernel) => new(kernel, _copies[0]);

    /// <summary>The copy that was not read for the longest time.</summary>
    public int NextCopy() => _next = (_next + 1) % _copies.Length;

    /// <summary>What the definition of the layer gives for the first rows of <see cref="X"/>, and the sum of sizes |w·x| for each output.</summary>
    public (double[] Y, double[] Sizes) Reference(int rows)
    {
        float[] w = Linear4BitReference.Dequantize(Shape, _weights, _scales);
        var y = new double[(long)rows * Shape.Out];
        var sizes = new double[y.Length];
        Parallel.For(0, Shape.Out, o =>
        {
            for (int row = 0; row < rows; row++)
            {
                double sum = 0, size = 0;
                for (int k = 0; k < Shape.In; k++)
                {
                    double product = (double)X[row * Shape.In + k] * w[(long)o * Shape.In + k];
                    sum += product;
                    size += Math.Abs(product);
                }

                y[row * Shape.Out + o] = sum;
                sizes[row * Shape.Out + o] = size;
            }
        });
        return (y, sizes);
    }

    /// <summary>Frees the copies.</summary>
    public void Dispose()
    {
        foreach (PackedWeights copy in _copies)
        {
            copy.Release();
        }
    }
}
