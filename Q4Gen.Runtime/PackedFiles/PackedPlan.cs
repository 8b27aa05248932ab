using System.Globalization;
using Q4Gen.Format;
using Q4Gen.Loading;
using Q4Gen.Safetensors;

namespace Q4Gen.PackedFiles;

/// <summary>What a tensor of a packed file is.</summary>
internal enum PackedPart
{
    /// <summary>A layer's sizes: no bytes.</summary>
    Shape,

    /// <summary>A layer's words.</summary>
    Weight,

    /// <summary>A layer's scales.</summary>
    Scales,

    /// <summary>A layer's offsets.</summary>
    Offsets,

    /// <summary>A layer's bias.</summary>
    Bias,

    /// <summary>A layer's order.</summary>
    Order,

    /// <summary>Zeros in front of a tensor that is aligned.</summary>
    Padding,

    /// <summary>A tensor of the model that is no layer's, as it is.</summary>
    Other,

    /// <summary>The hashes of all others.</summary>
    Hashes,
}

/// <summary>A tensor of a packed file.</summary>
/// <param name="Part">What it is.</param>
/// <param name="Entry">Its name, type, sizes and place.</param>
/// <param name="Layer">The layer that it belongs to; null where it is none's.</param>
internal sealed record PackedTensor(PackedPart Part, SafetensorsEntry Entry, PackedLayerPlan? Layer);

/// <summary>
/// The tensors of a packed file in the order of its data. A layer's stand together, so that it is made once: words at
/// a page, whatever else kernels read at a line of the cache, with as little padding as that takes. What is no layer's
/// follows, the widest elements first, so that each is aligned to its own size.
/// </summary>
internal sealed class PackedPlan
{
    private readonly List<PackedTensor> _tensors = [];
    private long _end;
    private int _paddings;

    /// <summary>Plans a file.</summary>
    /// <param name="layers">Its layers.</param>
    /// <param name="others">All other tensors.</param>
    /// <param name="withHashes">Whether it gets hashes.</param>
    public PackedPlan(IReadOnlyList<PackedLayerPlan> layers, SortedDictionary<string, WeightTensor> others, bool withHashes)
    {
        foreach (PackedLayerPlan layer in layers)
        {
            Add(layer);
        }

        Align(PackedFormat.Alignment, null);
        foreach ((string name, WeightTensor tensor) in others.OrderByDescending(static other => WeightTensor.ElementSize(other.Value.Type)))
        {
            Add(PackedPart.Other, null, name, tensor.Type, [.. tensor.Shape]);
        }

        if (withHashes)
        {
            Add(PackedPart.Hashes, null, PackedFormat.HashName, TensorType.U8, _tensors.Count, TensorHash.Bytes);
        }
    }

    /// <summary>The tensors in the order of the data.</summary>
    public IReadOnlyList<PackedTensor> Tensors => _tensors;

    /// <summary>Bytes of the data.</summary>
    public long ByteLength => _end;

    private void Add(PackedLayerPlan layer)
    {
        Linear4BitShape shape = layer.Shape;
        Align(PackedFormat.PageAlignment, layer);
        AddPart(PackedPart.Shape, PackedFormat.ShapeSuffix, TensorType.U8, 0, shape.In, shape.Out, shape.Group);
        AddPart(PackedPart.Weight, PackedFormat.WeightSuffix, TensorType.U32, shape.Panels, shape.Steps, PanelLayout.StepWords);
        if (layer.HasBias)
        {
            AddPart(PackedPart.Bias, PackedFormat.BiasSuffix, TensorType.F32, shape.Panels, PanelLayout.PanelRows);
        }

        AddPart(PackedPart.Scales, PackedFormat.ScalesSuffix, TensorType.F16, shape.Panels, shape.Groups, PanelLayout.PanelRows);
        if (layer.IsAffine)
        {
            Align(PackedFormat.Alignment, layer);
            AddPart(PackedPart.Offsets, PackedFormat.OffsetsSuffix, TensorType.F16, shape.Panels, shape.Groups, PanelLayout.PanelRows);
        }

        if (layer.HasOrder)
        {
            AddPart(PackedPart.Order, LayerTensors.OrderSuffix, TensorType.I32, shape.In);
        }

        void AddPart(PackedPart part, string suffix, TensorType type, params ReadOnlySpan<long> sizes) =>
            Add(part, layer, LayerTensors.Join(layer.Prefix, suffix), type, sizes);
    }

    private void Align(int alignment, PackedLayerPlan? layer)
    {
        long bytes = -_end & (alignment - 1);
        if (bytes != 0)
        {
            Add(PackedPart.Padding, layer, string.Create(CultureInfo.InvariantCulture, $"{PackedFormat.PaddingPrefix}{_paddings++}"), TensorType.U8, bytes);
        }
    }

    private void Add(PackedPart part, PackedLayerPlan? layer, string name, TensorType type, params ReadOnlySpan<long> sizes)
    {
        if (!WeightTensor.TryCountBytes(type, sizes, out long bytes))
        {
            throw new ArgumentException($"{name} of {WeightTensor.DescribeShape(sizes)} is more than a file can hold.", nameof(sizes));
        }

        _tensors.Add(new PackedTensor(part, new SafetensorsEntry(name, type, sizes.ToArray(), _end, _end + bytes), layer));
        _end += bytes;
    }
}
