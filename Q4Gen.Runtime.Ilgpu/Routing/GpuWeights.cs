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
    private readonly DeviceMemory?[] _memory;

    private GpuWeights(PackedWeights source, LayerKernels kernels, DeviceMemory?[] memory)
    {
        _memory = memory;
        Shape = source.Shape;
        IsAffine = source.IsAffine;
        HasInputOrder = source.HasInputOrder;
        Kernels = kernels;
        Words = memory[0]!.All;
        Scales = memory[1]!.All;
        Bias = memory[2]!.All;
        Offsets = memory[3]?.All ?? default;
        Order = memory[4]?.All ?? default;
    }

    public Linear4BitShape Shape { get; }

    public bool IsAffine { get; }

    public bool HasInputOrder { get; }

    public LayerKernels Kernels { get; }

    /// <summary>Words of eight nibbles, <c>[panels][steps][16]</c>.</summary>
    public DeviceRange Words { get; }

    /// <summary>Scales in float16, <c>[panels][groups][16]</c>.</summary>
    public DeviceRange Scales { get; }

    /// <summary>Bias in float32, padded to whole panels.</summary>
    public DeviceRange Bias { get; }

    /// <summary>Offsets, as scales; empty where there are none.</summary>
    public DeviceRange Offsets { get; }

    /// <summary>The input feature of each column, int32; empty where columns have no order of their own.</summary>
    public DeviceRange Order { get; }

    /// <summary>Copies a layer's weights; nothing stays where that fails.</summary>
    /// <exception cref="GpuOutOfMemoryException">The device has not enough memory left.</exception>
    /// <exception cref="GpuUnavailableException">The program has no kernels that the device takes.</exception>
    public static unsafe GpuWeights Upload(GpuContext context, PackedWeights source)
    {
        Linear4BitShape shape = source.Shape;
        LayerKernels kernels = context.Kernels.Of(shape);
        (nint Address, long Bytes)[] parts =
        [
            ((nint)source.Words(0), shape.PackedWeightBytes),
            ((nint)source.Scales(0), shape.PackedScaleBytes),
            ((nint)source.Bias, (long)shape.Panels * PanelLayout.PanelRows * sizeof(float)),
            source.IsAffine ? ((nint)source.Offsets(0), shape.PackedScaleBytes) : default,
            source.HasInputOrder ? ((nint)source.Order, shape.In * (long)sizeof(int)) : default,
        ];
        var memory = new DeviceMemory?[parts.Length];
        try
        {
            DeviceQueue queue = context.DefaultStream.Queue;
            for (int i = 0; i < parts.Length; i++)
            {
                if (parts[i].Bytes != 0)
                {
                    DeviceMemory part = context.Allocate(parts[i].Bytes);
                    memory[i] = part;
                    queue.CopyIn(parts[i].Address, part.All);
                }
            }

            var weights = new GpuWeights(source, kernels, memory);
            context.Kernels.SplitNibbles(queue, weights.Words);
            queue.Synchronize();
            return weights;
        }
        catch
        {
            Free(memory);
            throw;
        }
    }

    public void Dispose() => Free(_memory);

    private static void Free(DeviceMemory?[] memory)
    {
        foreach (DeviceMemory? part in memory)
        {
            part?.Dispose();
        }
    }
}
