using System.Runtime.InteropServices;
using Q4Gen.Kernels;
using Q4Gen.Packing;
using Q4Gen.Safetensors;

namespace Q4Gen.Loading;

/// <summary>The tensors of one layer as a source has them, of the right types and with shapes that fit each other.</summary>
internal sealed class LayerTensors
{
    public const string WeightSuffix = "weight_4bit";
    public const string ScalesSuffix = "scales_4bit";
    public const string OffsetsSuffix = "offsets_4bit";
    public const string OrderSuffix = "order_4bit";
    public const string BiasSuffix = "bias";

    // Keeps every count of bytes in sixteen rows inside 32 bits, and hostile shapes out of later arithmetic.
    public const int MaxFeatures = 1 << 25;

    // Scales are checked in pieces of this many bytes.
    private const int CheckBytes = 1 << 20;

    private LayerTensors(IWeightSource source, string prefix, WeightTensor weight, WeightTensor scales, WeightTensor? offsets, WeightTensor? order, WeightTensor? bias)
    {
        Source = source;
        Prefix = prefix;
        Weight = weight;
        Scales = scales;
        Offsets = offsets;
        Order = order;
        Bias = bias;
    }

    public IWeightSource Source { get; }

    public string Prefix { get; }

    /// <summary>U8 <c>[out, in/2]</c>.</summary>
    public WeightTensor Weight { get; }

    /// <summary>F16 <c>[out, groups]</c>.</summary>
    public WeightTensor Scales { get; }

    /// <summary>F16 <c>[out, groups]</c>, where the weights are affine.</summary>
    public WeightTensor? Offsets { get; }

    /// <summary>I32 <c>[in]</c>, where columns are in another order than input features.</summary>
    public WeightTensor? Order { get; }

    /// <summary>F32, F16 or BF16 <c>[out]</c>, where there is one.</summary>
    public WeightTensor? Bias { get; }

    public int In => (int)Weight.Shape[1] * 2;

    public int Out => (int)Weight.Shape[0];

    public int Groups => (int)Scales.Shape[1];

    /// <summary>Finds a layer's tensors and checks all that needs no declaration.</summary>
    /// <exception cref="WeightFormatException">One is missing, of the wrong type, or does not fit the others.</exception>
    public static LayerTensors Find(IWeightSource source, string prefix)
    {
        WeightTensor weight = Get(source, prefix, WeightSuffix);
        WeightTensor scales = Get(source, prefix, ScalesSuffix);
        source.TryGet(Join(prefix, OffsetsSuffix), out WeightTensor? offsets);
        source.TryGet(Join(prefix, OrderSuffix), out WeightTensor? order);
        source.TryGet(Join(prefix, BiasSuffix), out WeightTensor? bias);
        var tensors = new LayerTensors(source, prefix, weight, scales, offsets, order, bias);

        if (weight.Type != TensorType.U8 || weight.Shape is not [> 0 and <= MaxFeatures, > 0 and <= MaxFeatures / 2])
        {
            throw tensors.Unfit(WeightSuffix, weight,
                $"U8 [out, in/2] with 1 to {MaxFeatures} features is expected; quantise the layer again");
        }

        if (scales.Type != TensorType.F16 || scales.Shape is not [var rows, > 0] || rows != weight.Shape[0] || scales.Shape[1] > tensors.In)
        {
            throw tensors.Unfit(ScalesSuffix, scales,
                $"F16 [{tensors.Out}, groups] with 1 to {tensors.In} groups is expected beside {tensors.Name(WeightSuffix)} {weight}; quantise the layer again");
        }

        if (offsets != null && (offsets.Type != TensorType.F16 || !offsets.Shape.SequenceEqual(scales.Shape)))
        {
            throw tensors.Unfit(OffsetsSuffix, offsets,
                $"F16 [{tensors.Out}, {tensors.Groups}] is expected beside {tensors.Name(ScalesSuffix)} {scales}; quantise the layer again");
        }

        if (order != null && (order.Type != TensorType.I32 || order.Shape is not [var columns] || columns != tensors.In))
        {
            throw tensors.Unfit(OrderSuffix, order,
                $"I32 [{tensors.In}] is expected beside {tensors.Name(WeightSuffix)} {weight}; convert the layer again");
        }

        if (bias != null
            && (bias.Type is not (TensorType.F32 or TensorType.F16 or TensorType.BF16) || bias.Shape is not [var length] || length != tensors.Out))
        {
            throw tensors.Unfit(BiasSuffix, bias,
                $"F32, F16 or BF16 [{tensors.Out}] is expected beside {tensors.Name(WeightSuffix)} {weight}; convert or remove it");
        }

        return tensors;
    }

    /// <summary>The tensor's full name in the source.</summary>
    public static string Join(string prefix, string suffix) => prefix.Length == 0 ? suffix : $"{prefix}.{suffix}";

    /// <summary>The name of one of the layer's tensors, quoted for a message.</summary>
    public string Name(string suffix) => SafetensorsText.Quote(Join(Prefix, suffix));

    /// <summary>A tensor is not what is expected.</summary>
    public WeightFormatException Unfit(string suffix, WeightTensor tensor, string expectation) =>
        new($"{Source.Description}: tensor {Name(suffix)} is {tensor}, but {expectation}.");

    /// <summary>Keeps the memory of all tensors until the result is disposed.</summary>
    /// <exception cref="ObjectDisposedException">The source is disposed.</exception>
    public TensorHold Hold() => new(All());

    /// <summary>Throws where a file behind the tensors changed since it was opened.</summary>
    /// <exception cref="WeightFormatException">It did.</exception>
    public void CheckUnchanged()
    {
        // Reading nothing runs the check of every access.
        foreach (WeightTensor tensor in All())
        {
            tensor.Bytes(0, 0);
        }
    }

    /// <summary>Throws at the first scale or offset that is NaN or infinite.</summary>
    /// <exception cref="WeightFormatException">There is one.</exception>
    public void CheckScales()
    {
        CheckFinite(Scales, ScalesSuffix, "scales");
        if (Offsets is not null)
        {
            CheckFinite(Offsets, OffsetsSuffix, "offsets");
        }
    }

    /// <summary>The bias in float32, or null where the layer has none.</summary>
    /// <exception cref="WeightFormatException">A value is NaN or infinite.</exception>
    public float[]? ReadBias()
    {
        float[]? bias = Bias?.ToSingleArray();
        int index = PanelPacker.IndexOfNonFinite(bias.AsSpan());
        return index < 0
            ? bias
            : throw new WeightFormatException(
                $"{Source.Description}: tensor {Name(BiasSuffix)} holds {Describe(bias![index])} at row {index}, but biases are finite; convert the layer again.");
    }

    /// <summary>The input feature of each column, or null where that is the column itself.</summary>
    /// <exception cref="WeightFormatException">One is named twice, or there is no such.</exception>
    public int[]? ReadOrder() => Order is null ? null : ReadOrder(Order, Source, Prefix);

    /// <summary>As <see cref="ReadOrder()"/>, for an I32 <c>[in]</c> tensor of any layer.</summary>
    /// <exception cref="WeightFormatException">One is named twice, or there is no such.</exception>
    public static int[]? ReadOrder(WeightTensor tensor, IWeightSource source, string prefix)
    {
        var order = new int[tensor.ElementCount];
        tensor.Read(0, MemoryMarshal.AsBytes(order.AsSpan())).CopyTo(MemoryMarshal.AsBytes(order.AsSpan()));
        return InputOrder.FindFlaw(order) is { } flaw
            ? throw new WeightFormatException($"{source.Description}: tensor {SafetensorsText.Quote(Join(prefix, OrderSuffix))} {flaw}; convert the layer again.")
            : InputOrder.IsIdentity(order) ? null : order;
    }

    private WeightTensor[] All() => [.. new[] { Weight, Scales, Offsets, Order, Bias }.OfType<WeightTensor>()];

    private void CheckFinite(WeightTensor tensor, string suffix, string what)
    {
        byte[] buffer = new byte[Math.Min(CheckBytes, tensor.ByteLength)];
        for (long offset = 0; offset < tensor.ByteLength; offset += CheckBytes)
        {
            ReadOnlySpan<byte> bytes = tensor.Read(offset, buffer.AsSpan(0, (int)Math.Min(CheckBytes, tensor.ByteLength - offset)));
            ReadOnlySpan<Half> values = MemoryMarshal.Cast<byte, Half>(bytes);
            int index = PanelPacker.IndexOfNonFinite(values);
            if (index >= 0)
            {
                long element = offset / sizeof(ushort) + index;
                throw new WeightFormatException(
                    $"{Source.Description}: tensor {Name(suffix)} holds {Describe((float)values[index])} at row {element / Groups}, group {element % Groups}, but {what} are finite; quantise the layer again.");
            }
        }
    }

    private static WeightTensor Get(IWeightSource source, string prefix, string suffix) =>
        source.TryGet(Join(prefix, suffix), out WeightTensor? tensor)
            ? tensor
            : throw new WeightFormatException(MissingTensor.Describe(source, prefix, suffix));

    /// <summary>A value that is not finite.</summary>
    public static string Describe(float value) => float.IsNaN(value) ? "NaN" : value > 0 ? "+infinity" : "-infinity";
}
