using Q4Gen;
using Q4Gen.Gpu;
using Storyteller.Commands;
using Storyteller.Decoding;

namespace Storyteller.Gpu;

/// <summary>A GPU and the layers that were brought to it. Nothing of a GPU is touched before <see cref="Open"/>.</summary>
internal sealed class GpuLayers : ILayerDevice
{
    private readonly GpuContext _gpu;
    private readonly List<GpuLinear> _linears = [];

    private GpuLayers(GpuContext gpu) => _gpu = gpu;

    /// <summary>Opens a CUDA device.</summary>
    /// <param name="index">Its index; null for the best there is.</param>
    /// <exception cref="UsageException">There is no such device; the processor does not stand in for it.</exception>
    public static GpuLayers Open(int? index)
    {
        try
        {
            return new GpuLayers(GpuContext.Create(index));
        }
        catch (GpuUnavailableException exception)
        {
            throw new UsageException(exception.Message);
        }
    }

    /// <inheritdoc/>
    /// <exception cref="GpuOutOfMemoryException">The GPU has not enough memory left.</exception>
    public LinearOp Bring(Linear4Bit layer)
    {
        var linear = new GpuLinear(layer, _gpu);
        _linears.Add(linear);
        return linear.Forward;
    }

    /// <inheritdoc/>
    public string Kernel(Linear4Bit layer) => layer.GpuKernel(_gpu);

    /// <inheritdoc/>
    public void Dispose()
    {
        _linears.ForEach(static linear => linear.Dispose());
        _gpu.Dispose();
    }

    /// <inheritdoc/>
    public override string ToString() => _gpu.Name;
}
