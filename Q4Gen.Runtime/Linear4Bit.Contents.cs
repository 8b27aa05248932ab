using Q4Gen.Kernels;
using Q4Gen.Loading;
using Q4Gen.Packing;
using Q4Gen.Quantization;

namespace Q4Gen;

public partial class Linear4Bit
{
    /// <summary>Quantises a matrix to 4 bits and packs it; as <see cref="Linear4BitQuantizer"/>.</summary>
    /// <param name="weight">F32, F16 or BF16 <c>[out, in]</c>.</param>
    /// <param name="group">Columns that share a scale.</param>
    /// <param name="bias">Bias <c>[out]</c>, finite; empty for none.</param>
    /// <exception cref="ArgumentOutOfRangeException">The group is not positive.</exception>
    /// <exception cref="ArgumentException">The bias has the wrong length or is not finite.</exception>
    /// <exception cref="WeightFormatException">The matrix has the wrong type, shape or values.</exception>
    public static Linear4Bit Quantize(WeightTensor weight, int group, ReadOnlySpan<float> bias = default)
    {
        QuantizedMatrix matrix = Linear4BitQuantizer.Quantize(weight, group);
        Linear4BitShape shape = matrix.Shape;
        return new Linear4Bit(KernelRegistry.Find(shape), PanelPacker.Pack(shape, matrix.WeightSpan, matrix.ScaleSpan, bias));
    }

    /// <summary>Copies the packed weights as files hold them.</summary>
    /// <param name="destination"><c>[out, in/2]</c>: byte i of a row holds column 2i in its low nibble, 2i+1 in its high one.</param>
    /// <exception cref="ArgumentException">The destination is not exactly <c>out · in/2</c> bytes long.</exception>
    /// <exception cref="ObjectDisposedException">The layer is disposed.</exception>
    public void CopyWeight4Bit(Span<byte> destination)
    {
        using WeightsLease.Use use = _lease.Enter(this);
        PanelPacker.UnpackRows(_weights, destination);
    }

    /// <summary>Copies the scales as files hold them.</summary>
    /// <param name="destination"><c>[out, groups]</c> with <c>groups = ceil(in / group)</c>.</param>
    /// <exception cref="ArgumentException">The destination is not exactly <c>out · groups</c> elements long.</exception>
    /// <exception cref="ObjectDisposedException">The layer is disposed.</exception>
    public void CopyScales4Bit(Span<Half> destination)
    {
        using WeightsLease.Use use = _lease.Enter(this);
        PanelPacker.UnpackScales(_weights, destination);
    }

    /// <summary>Copies the offsets of affine weights as files hold them; zeros where the layer has none.</summary>
    /// <param name="destination"><c>[out, groups]</c> with <c>groups = ceil(in / group)</c>.</param>
    /// <exception cref="ArgumentException">The destination is not exactly <c>out · groups</c> elements long.</exception>
    /// <exception cref="ObjectDisposedException">The layer is disposed.</exception>
    public void CopyOffsets4Bit(Span<Half> destination)
    {
        using WeightsLease.Use use = _lease.Enter(this);
        PanelPacker.UnpackOffsets(_weights, destination);
    }

    /// <summary>Copies the input feature that each column of the packed weights multiplies, as files hold them; the column itself where the layer has no order.</summary>
    /// <param name="destination"><c>[in]</c>.</param>
    /// <exception cref="ArgumentException">The destination is not exactly <c>in</c> elements long.</exception>
    /// <exception cref="ObjectDisposedException">The layer is disposed.</exception>
    public void CopyOrder4Bit(Span<int> destination)
    {
        using WeightsLease.Use use = _lease.Enter(this);
        PanelPacker.CopyOrder(_weights, destination);
    }

    /// <summary>Copies the bias; zeros where the layer has none.</summary>
    /// <param name="destination"><c>[out]</c>.</param>
    /// <exception cref="ArgumentException">The destination is not exactly <c>out</c> elements long.</exception>
    /// <exception cref="ObjectDisposedException">The layer is disposed.</exception>
    public unsafe void CopyBias(Span<float> destination)
    {
        if (destination.Length != Out)
        {
            throw new ArgumentException($"The destination has {destination.Length} elements, but the bias [out = {Out}] takes {Out}.", nameof(destination));
        }

        using WeightsLease.Use use = _lease.Enter(this);
        new ReadOnlySpan<float>(_weights.Bias, Out).CopyTo(destination);
    }

    /// <summary>Writes the layer alone to a safetensors file that <see cref="Load"/> reads; the group is recorded in it.</summary>
    /// <param name="path">The file, replaced where it exists.</param>
    /// <param name="prefix">Name of the layer, without the last dot; empty for none.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder may not be written to.</exception>
    /// <exception cref="NotSupportedException">The weights take more than 2 GiB, which is more than one array holds.</exception>
    /// <exception cref="ObjectDisposedException">The layer is disposed.</exception>
    public void Save(string path, string prefix = "") =>
        SafetensorsWriter.Write(path, ToTensors(prefix), SafetensorsWriter.DescribeGroup(Group));

    /// <summary>
    /// The layer as tensors of a weight file: what <see cref="LoadDirect"/> and <see cref="Load"/> read. The group is not
    /// among them: whoever writes several layers to a file records it with <see cref="SafetensorsWriter.DescribeGroup"/>.
    /// </summary>
    /// <param name="prefix">Name of the layer, without the last dot; empty for none.</param>
    /// <returns>
    /// <c>{prefix}.weight_4bit</c> U8 <c>[out, in/2]</c>, <c>{prefix}.scales_4bit</c> F16 <c>[out, groups]</c> and, where
    /// the layer has them, <c>{prefix}.offsets_4bit</c> F16 <c>[out, groups]</c>, <c>{prefix}.order_4bit</c> I32 <c>[in]</c>
    /// and <c>{prefix}.bias</c> F32 <c>[out]</c>.
    /// </returns>
    /// <exception cref="NotSupportedException">The weights take more than 2 GiB, which is more than one array holds.</exception>
    /// <exception cref="ObjectDisposedException">The layer is disposed.</exception>
    public Dictionary<string, WeightTensor> ToTensors(string prefix)
    {
        ArgumentNullException.ThrowIfNull(prefix);
        if (Shape.WeightBytes > Array.MaxLength || Shape.ScaleCount * 2 > Array.MaxLength)
        {
            throw new NotSupportedException($"The tensors of {Shape} take more than {Array.MaxLength} bytes each, which is what one array holds.");
        }

        var weights = new byte[Shape.WeightBytes];
        var scales = new Half[Shape.ScaleCount];
        CopyWeight4Bit(weights);
        CopyScales4Bit(scales);
        var tensors = new Dictionary<string, WeightTensor>
        {
            [LayerTensors.Join(prefix, LayerTensors.WeightSuffix)] = new(TensorType.U8, [Out, In / 2], weights),
            [LayerTensors.Join(prefix, LayerTensors.ScalesSuffix)] = WeightTensor.FromHalf(scales, Out, Shape.Groups),
        };
        if (IsAffine)
        {
            var offsets = new Half[Shape.ScaleCount];
            CopyOffsets4Bit(offsets);
            tensors[LayerTensors.Join(prefix, LayerTensors.OffsetsSuffix)] = WeightTensor.FromHalf(offsets, Out, Shape.Groups);
        }

        if (HasInputOrder)
        {
            var order = new int[In];
            CopyOrder4Bit(order);
            tensors[LayerTensors.Join(prefix, LayerTensors.OrderSuffix)] = WeightTensor.FromInt32(order, In);
        }

        if (HasBias)
        {
            var bias = new float[Out];
            CopyBias(bias);
            tensors[LayerTensors.Join(prefix, LayerTensors.BiasSuffix)] = WeightTensor.FromSingle(bias, Out);
        }

        return tensors;
    }
}
