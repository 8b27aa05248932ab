using Q4Gen.Gpu;

namespace Q4Gen.Benchmarks.Gpu;

/// <summary>One layer's random weights, bias and activations, always the same, and outputs of it in float64.</summary>
internal sealed class GpuWorkload
{
    /// <summary>Outputs up to which all are checked.</summary>
    private const int MaxOutputs = 512;

    /// <summary>Of more outputs so many at either end are checked, where panels and fragments end.</summary>
    private const int EndOutputs = 48;

    /// <summary>And so many between, evenly spread.</summary>
    private const int MiddleOutputs = 256;

    private readonly Half[] _halfX;
    private readonly float[] _singleX;

    /// <summary>A layer, and so many rows of x.</summary>
    public GpuWorkload(Linear4BitShape shape, int rows, GpuLayerParts parts = GpuLayerParts.None)
    {
        Parts = parts;
        Shape = shape;
        Rows = rows;
        var random = new Random(1);
        Weights = new byte[shape.WeightBytes];
        random.NextBytes(Weights);
        Scales = new Half[shape.ScaleCount];
        foreach (ref Half scale in Scales.AsSpan())
        {
            scale = (Half)((random.NextSingle() + 0.5f) * (random.Next(2) == 0 ? 0.01f : -0.01f));
        }

        Bias = new float[shape.Out];
        foreach (ref float bias in Bias.AsSpan())
        {
            bias = random.NextSingle() - 0.5f;
        }

        Offsets = parts.HasFlag(GpuLayerParts.Offsets) ? new Half[shape.ScaleCount] : [];
        foreach (ref Half offset in Offsets.AsSpan())
        {
            offset = (Half)((random.NextSingle() - 0.5f) * 0.1f);
        }

        Order = [.. Enumerable.Range(0, parts.HasFlag(GpuLayerParts.Order) ? shape.In : 0)];
        random.Shuffle(Order);
        _singleX = new float[(long)rows * shape.In];
        _halfX = new Half[_singleX.Length];
        Parallel.For(0, rows, row =>
        {
            var gaussian = new Random(row + 2);
            for (int i = row * shape.In; i < (row + 1) * shape.In; i++)
            {
                _singleX[i] = (float)(Math.Sqrt(-2 * Math.Log(1 - gaussian.NextDouble())) * Math.Cos(2 * Math.PI * gaussian.NextDouble()));
                _halfX[i] = (Half)_singleX[i];
            }
        });
        Outputs = shape.Out <= MaxOutputs
            ? [.. Enumerable.Range(0, shape.Out)]
            : [.. Enumerable.Range(0, EndOutputs)
                .Concat(Enumerable.Range(0, MiddleOutputs).Select(i => (int)((long)i * (shape.Out - 1) / (MiddleOutputs - 1))))
                .Concat(Enumerable.Range(shape.Out - EndOutputs, EndOutputs)).Distinct().Order()];
    }

    /// <summary>The layer's shape.</summary>
    public Linear4BitShape Shape { get; }

    /// <summary>Rows of x.</summary>
    public int Rows { get; }

    /// <summary>Nibbles <c>[out, in/2]</c>.</summary>
    public byte[] Weights { get; }

    /// <summary>Scales <c>[out, groups]</c>, around 0.01 and of either sign.</summary>
    public Half[] Scales { get; }

    /// <summary>Bias <c>[out]</c>.</summary>
    public float[] Bias { get; }

    /// <summary>Offsets <c>[out, groups]</c>, below 0.05 in size; empty where the layer has none.</summary>
    public Half[] Offsets { get; }

    /// <summary>The input feature of each column; empty where columns are in order.</summary>
    public int[] Order { get; }

    /// <summary>What the layer has beside the usual.</summary>
    public GpuLayerParts Parts { get; }

    /// <summary>The outputs that are checked: all of a small layer, some hundreds of a large one.</summary>
    public int[] Outputs { get; }

    /// <summary>A layer of these weights, in memory of its own.</summary>
    public Linear4Bit CreateLayer() => Linear4Bit.Create(Shape.In, Shape.Out, Shape.Group, Weights, Scales, Bias, Offsets, Order);

    /// <summary>Copies the first rows of x to a GPU.</summary>
    /// <param name="target"><c>[rows, in]</c>, of either element type: float32 x, or the same rounded to float16.</param>
    public void UploadX(GpuTensor target)
    {
        int count = checked((int)target.Length);
        if (target.Element == GpuElement.Float16)
        {
            target.Upload(_halfX.AsSpan(0, count));
        }
        else
        {
            target.Upload(_singleX.AsSpan(0, count));
        }
    }

    /// <summary>y for some rows of x in float64, where x has elements of this type.</summary>
    public Float64Product Multiply(GpuElement element, IReadOnlyList<int> rows)
    {
        var x = new float[rows.Count][];
        for (int i = 0; i < x.Length; i++)
        {
            int first = rows[i] * Shape.In;
            x[i] = element == GpuElement.Float16
                ? [.. _halfX.AsSpan(first, Shape.In).ToArray().Select(static value => (float)value)]
                : _singleX.AsSpan(first, Shape.In).ToArray();
        }

        // In the order of columns, as the weights are.
        return Float64Product.Of(this, Order.Length == 0 ? x : [.. x.Select(row => Order.Select(input => row[input]).ToArray())]);
    }
}
