using Q4Gen;
using Q4Gen.Gpu;
using Storyteller.Decoding;

namespace Storyteller.Gpu;

/// <summary>
/// A 4-bit layer on a GPU as a <see cref="LinearOp"/>: x is copied to the GPU, multiplied there, and y is copied back. The
/// layer itself never does that on its own: it runs where its input lives. For one caller at a time.
/// </summary>
public sealed class GpuLinear : IDisposable
{
    private readonly Linear4Bit _layer;
    private readonly GpuContext _gpu;
    private GpuTensor? _x;
    private GpuTensor? _y;

    /// <summary>Brings a layer to a GPU.</summary>
    /// <exception cref="GpuOutOfMemoryException">The GPU has not enough memory left.</exception>
    public GpuLinear(Linear4Bit layer, GpuContext gpu)
    {
        _layer = layer.To(gpu);
        _gpu = gpu;
    }

    /// <inheritdoc cref="LinearOp"/>
    public void Forward(ReadOnlySpan<float> x, Span<float> y)
    {
        (GpuTensor xs, GpuTensor ys) = Tensors(x.Length / _layer.In);
        xs.Upload(x);
        _layer.Forward(xs, ys);
        ys.Download(y);
    }

    /// <summary>Gives the tensors back; the weights on the GPU are freed with the layer.</summary>
    public void Dispose()
    {
        _x?.Dispose();
        _y?.Dispose();
        (_x, _y) = (null, null);
    }

    /// <summary>A prompt has many rows and every token after it one, so those of the last call nearly always fit.</summary>
    private (GpuTensor X, GpuTensor Y) Tensors(int rows)
    {
        if (_x is null || _y is null || _x.Shape[0] != rows)
        {
            Dispose();
            _x = GpuTensor.Allocate(_gpu, GpuElement.Float32, rows, _layer.In);
            _y = GpuTensor.Allocate(_gpu, GpuElement.Float32, rows, _layer.Out);
        }

        return (_x, _y);
    }
}
