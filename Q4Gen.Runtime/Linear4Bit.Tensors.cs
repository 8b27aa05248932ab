using System.Numerics.Tensors;

namespace Q4Gen;

public partial class Linear4Bit
{
    /// <summary>Computes <c>y = x · Wᵀ + b</c> over the last dimension.</summary>
    /// <param name="x"><c>[…, in]</c>, dense, with any leading dimensions; see docs/kernels.md for the range of x.</param>
    /// <param name="y"><c>[…, out]</c>, dense, with the same leading dimensions.</param>
    /// <exception cref="ArgumentException">A shape does not fit, a tensor is not dense and row-major, or they overlap.</exception>
    /// <exception cref="ObjectDisposedException">The layer is disposed.</exception>
    public void Forward(in ReadOnlyTensorSpan<float> x, in TensorSpan<float> y)
    {
        CheckTensors(x, y);
        Forward(Flatten(x, "input", nameof(x)), Flatten(y, "output", nameof(y)));
    }

    /// <summary>Computes <c>x · Wᵀ + b</c> over the last dimension into a new tensor.</summary>
    /// <param name="x"><c>[…, in]</c>, dense, with any leading dimensions; see docs/kernels.md for the range of x.</param>
    /// <returns><c>[…, out]</c> with the same leading dimensions; empty where x has no rows.</returns>
    /// <exception cref="ArgumentException">The shape does not fit, or the tensor is not dense and row-major.</exception>
    /// <exception cref="ObjectDisposedException">The layer is disposed.</exception>
    public Tensor<float> Forward(Tensor<float> x)
    {
        ArgumentNullException.ThrowIfNull(x);
        CheckInput(x);
        Tensor<float> y = Tensor.CreateFromShapeUninitialized<float>(OutputLengths(x.Lengths));
        Forward(x, y);
        return y;
    }

    /// <summary>As <see cref="ForwardUnpack(ReadOnlySpan{float}, Span{float})"/>, over the last dimension.</summary>
    /// <inheritdoc cref="Forward(in ReadOnlyTensorSpan{float}, in TensorSpan{float})"/>
    public void ForwardUnpack(in ReadOnlyTensorSpan<float> x, in TensorSpan<float> y)
    {
        CheckTensors(x, y);
        ForwardUnpack(Flatten(x, "input", nameof(x)), Flatten(y, "output", nameof(y)));
    }

    /// <summary>As <see cref="ForwardUnpack(ReadOnlySpan{float}, Span{float})"/>, over the last dimension into a new tensor.</summary>
    /// <inheritdoc cref="Forward(Tensor{float})"/>
    public Tensor<float> ForwardUnpack(Tensor<float> x)
    {
        ArgumentNullException.ThrowIfNull(x);
        CheckInput(x);
        Tensor<float> y = Tensor.CreateFromShapeUninitialized<float>(OutputLengths(x.Lengths));
        ForwardUnpack(x, y);
        return y;
    }
}
