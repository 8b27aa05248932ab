using ILGPU;
using ILGPU.Runtime;
using Q4Gen.Format;
using Q4Gen.Gpu.Kernels;
using Q4Gen.Kernels;

namespace Q4Gen.Gpu;

/// <summary>
/// One layer's weights in a GPU's memory: words in the order of <see cref="SplitNibbles"/>, scales and bias as the host
/// has them. In memory of its own, not in a stream's pool, because any stream may be using it when the layer lets go;
/// freeing waits for them.
/// </summary>
internal sealed class GpuWeights : IDisposable
{
    private readonly MemoryBuffer1D<byte, Stride1D.Dense> _words;
    private readonly MemoryBuffer1D<byte, Stride1D.Dense> _scales;
    private readonly MemoryBuffer1D<byte, Stride1D.Dense> _bias;

    private GpuWeights(GpuContext context, Linear4BitShape shape, MemoryBuffer1D<byte, Stride1D.Dense>[] memory)
    {
        Shape = shape;
        Kernels = context.Kernels.Of(shape);
        (_words, _scales, _bias) = (memory[0], memory[1], memory[2]);
        Views = new DeviceViews(
            _words.View.BaseView.Cast<int>(), _scales.View.BaseView.Cast<ILGPU.Half>(), _bias.View.BaseView.Cast<float>());
        Pointers = new DevicePointers(_words.NativePtr, _scales.NativePtr, _bias.NativePtr);
    }

    public Linear4BitShape Shape { get; }

    public GpuLayerKernels Kernels { get; }

    public DeviceViews Views { get; }

    public DevicePointers Pointers { get; }

    /// <summary>Copies a layer's weights; nothing stays where that fails.</summary>
    /// <exception cref="GpuOutOfMemoryException">The device has not enough memory left.</exception>
    public static unsafe GpuWeights Upload(GpuContext context, PackedWeights source)
    {
        Linear4BitShape shape = source.Shape;
        (nint Address, long Bytes)[] parts =
        [
            ((nint)source.Words(0), shape.PackedWeightBytes),
            ((nint)source.Scales(0), shape.PackedScaleBytes),
            ((nint)source.Bias, (long)shape.Panels * PanelLayout.PanelRows * sizeof(float)),
        ];
        var memory = new MemoryBuffer1D<byte, Stride1D.Dense>[parts.Length];
        try
        {
            AcceleratorStream stream = context.DefaultStream.Stream;
            for (int i = 0; i < parts.Length; i++)
            {
                memory[i] = context.Allocate(parts[i].Bytes);
                memory[i].View.BaseView.CopyFromCPU(stream, new ReadOnlySpan<byte>((void*)parts[i].Address, checked((int)parts[i].Bytes)));
            }

            var weights = new GpuWeights(context, shape, memory);
            var split = context.Kernels.Shared<GpuWeights, Action<AcceleratorStream, Index1D, ArrayView<int>>>(
                static accelerator => accelerator.LoadAutoGroupedKernel<Index1D, ArrayView<int>>(SplitNibbles.Split));
            split(stream, (int)weights.Views.Words.Length, weights.Views.Words);
            stream.Synchronize();
            return weights;
        }
        catch
        {
            foreach (MemoryBuffer1D<byte, Stride1D.Dense>? part in memory)
            {
                part?.Dispose();
            }

            throw;
        }
    }

    public void Dispose()
    {
        _words.Dispose();
        _scales.Dispose();
        _bias.Dispose();
    }
}
