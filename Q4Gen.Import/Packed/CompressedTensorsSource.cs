using System.Buffers.Binary;
using Q4Gen.Import.Conversion;

namespace Q4Gen.Import.Packed;

/// <summary>A model in compressed-tensors' format pack-quantized, of 4 bits, as a weight source.</summary>
/// <remarks>
/// <para>
/// A layer is <c>weight_packed</c>, I32 <c>[out, ceil(in/8)]</c> with q + 8 in each nibble, the lowest bits first, whose
/// bytes are ours; <c>weight_scale</c> <c>[out, groups]</c>; <c>weight_shape</c> [2]; optional <c>weight_zero_point</c>, I32
/// <c>[ceil(out/8), groups]</c>, packed in the same way from top to bottom; optional <c>weight_g_idx</c>, I32
/// <c>[in]</c>: where it puts columns into other groups than their neighbours' (act-order), columns are sorted by group,
/// and the layer has an input order. −1 in all of it says nothing.
/// </para>
/// <para>
/// Symmetric layers with F16 scales are lossless. Scales in BF16 are too unless they are tiny or huge; scales in F32 are
/// rounded to F16, and so is a zero point's <c>(8 − zero) · scale</c>: <see cref="ImportedLayer.Error"/> says what that costs.
/// </para>
/// <para>Source: <c>pack_quantized.py</c> of the compressed-tensors project.</para>
/// </remarks>
public sealed class CompressedTensorsSource : ImportSource
{
    private const string Weight = "weight_packed";
    private const string Scale = "weight_scale";
    private const string Zero = "weight_zero_point";
    private const string Sizes = "weight_shape";
    private const string Index = "weight_g_idx";
    private const string Format = "compressed-tensors";

    private CompressedTensorsSource(IWeightSource source, int? group, IDisposable? owned)
        : base(source.Description, Gather(source, group), source.Metadata, owned)
    {
    }

    /// <summary>Opens a model; nothing is converted yet.</summary>
    /// <param name="path">Its folder, or a safetensors file or index in it.</param>
    /// <param name="group">Columns that share a scale; where null, what the scales say, which suffices unless the last group is shorter.</param>
    /// <exception cref="IOException">A file is not there or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">A file may not be read.</exception>
    /// <exception cref="WeightFormatException">A file is malformed, or has something that is not taken.</exception>
    public static CompressedTensorsSource Open(string path, int? group = null) => PackedFolder.Open(path, (model, config) =>
    {
        config?.Expect("quant_method", "compressed-tensors");
        config?.Expect("format", "pack-quantized");
        return new CompressedTensorsSource(model, group, model);
    });

    /// <summary>Takes tensors from another source, which stays the caller's and must stay open.</summary>
    /// <param name="source">The model's tensors.</param>
    /// <param name="group">As in <see cref="Open"/>.</param>
    /// <exception cref="WeightFormatException">The tensors are not those of such a model.</exception>
    public static CompressedTensorsSource From(IWeightSource source, int? group = null)
    {
        ArgumentNullException.ThrowIfNull(source);
        return new CompressedTensorsSource(source, group, owned: null);
    }

    private static ImportedTensors Gather(IWeightSource source, int? group)
    {
        var tensors = new PackedTensors(source);
        foreach (string prefix in tensors.FindLayers(Weight, Format))
        {
            WeightTensor weight = tensors.Get(prefix, Weight);
            WeightTensor scale = tensors.Get(prefix, Scale);
            if (weight.Type != TensorType.I32 || weight.Shape.Count != 2 || scale.Shape.Count != 2)
            {
                throw tensors.Unfit(prefix, Weight, weight, "I32 [out, in/8] is expected, and a scale [out, groups] beside it");
            }

            long inFeatures = ReadInFeatures(tensors, prefix, weight);
            Linear4BitShape shape = tensors.ShapeOf(prefix, inFeatures, weight.Shape[0], scale.Shape[1], group);
            tensors.Expect(prefix, Scale, scale, [TensorType.F16, TensorType.BF16, TensorType.F32], shape.Out, shape.Groups);
            WeightTensor? zero = tensors.Find(prefix, Zero);
            if (zero is not null)
            {
                tensors.Expect(prefix, Zero, zero, [TensorType.I32], (shape.Out + 7) / 8, shape.Groups);
            }

            int[]? order = GroupIndex.ReadOrder(tensors, prefix, Index, shape, mayBeUnset: true);
            new Layer(shape, weight, scale, zero, $"{source.Description}: layer {PackedTensors.Name(prefix, Weight)}", order).AddTo(tensors.Imported, prefix, Format);
        }

        return tensors.PassTheRest();
    }

    /// <summary>The last word of a row may be filled up, so the shape is beside it; a model without one has whole words.</summary>
    private static long ReadInFeatures(PackedTensors tensors, string prefix, WeightTensor weight)
    {
        long padded = weight.Shape[1] * 8;
        if (tensors.Find(prefix, Sizes) is not { } sizes)
        {
            return padded;
        }

        if (sizes.Shape is not [2] || sizes.Type is not (TensorType.I64 or TensorType.I32))
        {
            throw tensors.Unfit(prefix, Sizes, sizes, "I64 [2] is expected");
        }

        int size = WeightTensor.ElementSize(sizes.Type);
        ReadOnlySpan<byte> bytes = sizes.Bytes(0, 2 * size);
        long rows = size == sizeof(long) ? BinaryPrimitives.ReadInt64LittleEndian(bytes) : BinaryPrimitives.ReadInt32LittleEndian(bytes);
        long columns = size == sizeof(long) ? BinaryPrimitives.ReadInt64LittleEndian(bytes[size..]) : BinaryPrimitives.ReadInt32LittleEndian(bytes[size..]);
        return rows == weight.Shape[0] && columns > padded - 8 && columns <= padded
            ? columns
            : throw tensors.Unfit(prefix, Weight, weight, $"its shape is said to be [{rows}, {columns}], at 4 bits");
    }

    private sealed class Layer(Linear4BitShape shape, WeightTensor weight, WeightTensor scale, WeightTensor? zero, string what, int[]? order)
        : PackedLayer(shape, scale, zero is null ? [weight] : [weight, zero], what, order)
    {
        protected override void FillNibbles(LayerBuilder layer) => CopyRows(weight, layer);

        /// <summary>Word r of a group holds rows 8r … 8r + 7.</summary>
        protected override byte[]? ReadZeros()
        {
            if (zero is null)
            {
                return null;
            }

            int groups = Shape.Groups;
            byte[] zeros = new byte[Shape.ScaleCount];
            ReadWords(zero, (row, words) =>
            {
                for (int i = 0; i < WordNibbles && row * WordNibbles + i < Shape.Out; i++)
                {
                    for (int g = 0; g < groups; g++)
                    {
                        zeros[(row * WordNibbles + i) * groups + g] = Nibble(words, g * WordNibbles + i);
                    }
                }
            });
            return zeros;
        }
    }
}
