using System.Numerics.Tensors;

namespace Q4Gen.Tests.Runtime;

/// <summary>Layers over <c>System.Numerics.Tensors</c>: any leading dimensions, dense, and shapes that fit.</summary>
public sealed class Linear4BitTensorTests
{
    private static readonly Linear4BitSample s_sample = Linear4BitSample.Create(new Linear4BitShape(64, 37, 32), bias: true);

    [Theory]
    [InlineData]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(2, 3)]
    [InlineData(1, 1, 4)]
    [InlineData(2, 1, 3, 2, 1, 1)]
    public void LeadingDimensionsStay(params int[] leading)
    {
        using Linear4Bit layer = s_sample.Layer();
        int rows = leading.Aggregate(1, (product, length) => product * length);
        float[] x = Linear4BitSample.Input(rows * 64);
        Tensor<float> input = Tensor.Create(x, Lengths(leading, 64));
        foreach (Tensor<float> output in new[] { layer.Forward(input), layer.ForwardUnpack(input) })
        {
            Assert.Equal(Lengths(leading, 37), output.Lengths.ToArray());
            var y = new float[rows * 37];
            output.FlattenTo(y);
            s_sample.AssertForward(x, y, tolerance: 3e-6);
        }

        var target = new float[rows * 37];
        layer.Forward(input, new TensorSpan<float>(target, Lengths(leading, 37)));
        s_sample.AssertForward(x, target, tolerance: 3e-6);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3, 0)]
    [InlineData(0, 4)]
    public void ZeroRowsAreEmpty(params int[] leading)
    {
        using Linear4Bit layer = s_sample.Layer();
        Tensor<float> input = Tensor.CreateFromShape<float>(Lengths(leading, 64));
        Assert.Equal(Lengths(leading, 37), layer.Forward(input).Lengths.ToArray());
        Assert.Equal(Lengths(leading, 37), layer.ForwardUnpack(input).Lengths.ToArray());
    }

    [Fact]
    public void InputShapesThatDoNotFit()
    {
        using Linear4Bit layer = s_sample.Layer();
        foreach (nint[] lengths in new nint[][] { [63], [64, 1], [2, 32], [64, 63], [0] })
        {
            Tensor<float> input = Tensor.CreateFromShape<float>(lengths);
            string message = Assert.Throws<ArgumentException>("x", () => layer.Forward(input)).Message;
            Assert.Contains($"[{string.Join(", ", lengths)}]", message, StringComparison.Ordinal);
            Assert.Contains("In = 64", message, StringComparison.Ordinal);
            Assert.Throws<ArgumentException>("x", () => layer.ForwardUnpack(input));
        }

        Assert.Throws<ArgumentException>("x", () => layer.Forward(Tensor<float>.Empty));
        Assert.Throws<ArgumentNullException>("x", () => layer.Forward(null!));
    }

    [Fact]
    public void OutputShapesThatDoNotFit()
    {
        using Linear4Bit layer = s_sample.Layer();
        Tensor<float> input = Tensor.CreateFromShape<float>([2, 3, 64]);
        foreach (nint[] lengths in new nint[][] { [2, 3, 36], [3, 2, 37], [6, 37], [222], [2, 3, 37, 1] })
        {
            Tensor<float> output = Tensor.CreateFromShape<float>(lengths);
            string message = Assert.Throws<ArgumentException>("y", () => layer.Forward(input, output)).Message;
            Assert.Contains($"[{string.Join(", ", lengths)}]", message, StringComparison.Ordinal);
            Assert.Contains("gives [2, 3, 37]", message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void TensorsMustBeDenseAndRowMajor()
    {
        using Linear4Bit layer = s_sample.Layer();
        var memory = new float[4 * 128];
        AssertNotDense(layer, new ReadOnlyTensorSpan<float>(memory, [3, 64], [128, 1]));
        AssertNotDense(layer, new ReadOnlyTensorSpan<float>(memory, [2, 64], [1, 2]));
        AssertNotDense(layer, new ReadOnlyTensorSpan<float>(memory, [2, 64], [0, 1]));
        AssertNotDense(layer, Tensor.Create(memory, [4, 128]).AsReadOnlyTensorSpan()[.., 0..64]);

        // A single row of a wider matrix has no gaps.
        layer.Forward(Tensor.Create(memory, [4, 128]).AsReadOnlyTensorSpan()[1..2, 0..64], new TensorSpan<float>(new float[37], [1, 37]));

        string message = "";
        try
        {
            layer.Forward(new ReadOnlyTensorSpan<float>(memory, [2, 64]), new TensorSpan<float>(new float[200], [2, 37], [100, 1]));
        }
        catch (ArgumentException exception) when (exception.ParamName == "y")
        {
            message = exception.Message;
        }

        Assert.Contains("output [2, 37] has strides [100, 1]", message, StringComparison.Ordinal);
    }

    [Fact]
    public void OverlapAndDisposalAreErrors()
    {
        Linear4Bit layer = s_sample.Layer();
        Tensor<float> memory = Tensor.CreateFromShape<float>([101]);
        Assert.Throws<ArgumentException>("y", () => layer.Forward(memory.AsReadOnlyTensorSpan()[0..64], memory.AsTensorSpan()[63..100]));
        layer.Forward(memory.AsReadOnlyTensorSpan()[0..64], memory.AsTensorSpan()[64..101]);
        layer.Dispose();
        Assert.Throws<ObjectDisposedException>(() => layer.Forward(Tensor.CreateFromShape<float>([64])));
    }

    [Fact]
    public void CallsWithGivenOutputAllocateNothing()
    {
        using Linear4Bit layer = s_sample.Layer();
        Tensor<float> x = Tensor.CreateFromShape<float>([2, 64]);
        Tensor<float> y = Tensor.CreateFromShape<float>([2, 37]);
        layer.Forward(x, y);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            layer.Forward(x, y);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static void AssertNotDense(Linear4Bit layer, in ReadOnlyTensorSpan<float> x)
    {
        var y = new float[x.Lengths[0] * 37];
        try
        {
            layer.Forward(x, new TensorSpan<float>(y, [x.Lengths[0], 37]));
        }
        catch (ArgumentException exception) when (exception.ParamName == "x")
        {
            Assert.Contains("must be dense and row-major", exception.Message, StringComparison.Ordinal);
            return;
        }

        Assert.Fail($"Strides [{string.Join(", ", x.Strides.ToArray())}] were taken.");
    }

    private static nint[] Lengths(int[] leading, int last) => [.. leading.Select(length => (nint)length), last];
}
