using ILGPU;
using ILGPU.Runtime;
using Q4Gen.Format;
using Q4Gen.Gpu.Kernels;
using Q4Gen.Kernels;

namespace Q4Gen.Gpu;

/// <summary>
/// One layer's weights in a GPU's memory: words in the order of <see cref="SplitNibbles"/>, scales, bias, offsets and
/// the order of columns as the host has them. In memory of its own, not in a stream's pool, because any stream may be using it when the layer lets go;
/// freeing waits for them.
/// </summary>
internal sealed class GpuWeights : IDisposable
{
    private readonly MemoryBuffer1D<byte, Stride1D.Dense>?[] _memory;

    private GpuWeights(GpuContext context, PackedWeights source, MemoryBuffer1D<byte, Stride1D.Dense>?[] memory)
    {
        _memory = memory;
        Shape = source.Shape;
        IsAffine = source.IsAffine;
        HasInputOrder = source.HasInputOrder;
        Kernels = context.Kernels.Of(Shape);
        (var words, var scales, var bias) = (memory[0]!, memory[1]!, memory[2]!);
        Views = new DeviceViews(
            words.View.BaseView.Cast<int>(),
            scales.View.BaseView.Cast<ILGPU.Half>(),
            bias.View.BaseView.Cast<float>(),
            memory[3]?.View.BaseView.Cast<ILGPU.Half>() ?? default,
            memory[4]?.View.BaseView.Cast<int>() ?? default);
        Pointers = new DevicePointers(words.NativePtr, scales.NativePtr, bias.NativePtr);
    }

    public Linear4BitShape Shape { get; }

    public bool IsAffine { get; }

    public bool HasInputOrder { get; }

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
            source.IsAffine ? ((nint)source.Offsets(0), shape.PackedScaleBytes) : default,
            source.HasInputOrder ? ((nint)source.Order, shape.In * (long)sizeof(int)) : default,
        ];
        var memory = new MemoryBuffer1D<byte, Stride1D.Dense>?[parts.Length];
        try
        {
            AcceleratorStream stream = context.DefaultStream.Stream;
            for (int i = 0; i < parts.Length; i++)
            {
                if (parts[i].Bytes != 0)
                {
                    MemoryBuffer1D<byte, Stride1D.Dense> part = context.Allocate(parts[i].Bytes);
                    memory[i] = part;
                    part.View.BaseView.CopyFromCPU(stream, new ReadOnlySpan<byte>((void*)parts[i].Address, checked((int)parts[i].Bytes)));
                }
            }

            var weights = new GpuWeights(context, source, memory);
            var split = context.Kernels.Shared<GpuWeights, Action<AcceleratorStream, Index1D, ArrayView<int>>>(
                static accelerator => accelerator.LoadAutoGroupedKernel<Index1D, ArrayView<int>>(SplitNibbles.Split));
            split(stream, (int)weights.Views.Words.Length, weights.Views.Words);
            stream.Synchronize();
            return weights;
        }
        catch
        {
            Free(memory);
            throw;
        }
    }

    public void Dispose() => Free(_memory);

    private static void Free(MemoryBuffer1D<byte, Stride1D.Dense>?[] memory)
    {
        foreach (MemoryBuffer1D<byte, Stride1D.Dense>? part in memory)
        {
            part?.Dispose();
        }
    }
}
