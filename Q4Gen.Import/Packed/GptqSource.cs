using Q4Gen.Import.Conversion;

namespace Q4Gen.Import.Packed;

/// <summary>A model in 4-bit GPTQ as a weight source.</summary>
/// <remarks>
/// <para>
/// A layer is <c>qweight</c>, I32 <c>[in/8, out]</c>, whose nibble i is column 8r + i, the lowest bits first; <c>qzeros</c>,
/// I32 <c>[groups, ceil(out/8)]</c>; <c>scales</c> <c>[groups, out]</c>; optional <c>g_idx</c>, I32 <c>[in]</c>:
/// <c>w = (q − zero) · scale</c>. A word of qweight is four bytes of ours, so words are transposed and no nibble moves.
/// </para>
/// <para>
/// Layers whose zero points are all 8 (symmetric) are lossless where scales are F16. Others get offsets,
/// <c>(8 − zero) · scale</c> in F16, which is exact unless the product has more than 11 bits. Version 1 holds zero points
/// less one, of four bits: 15 stands for zero. Where columns are in another order than
/// their groups' (act-order), they are sorted by group, and the layer has an input order.
/// </para>
/// <para>Source: <c>qlinear</c> of AutoGPTQ and GPTQModel.</para>
/// </remarks>
public sealed class GptqSource : ImportSource
{
    private const string Weight = "qweight";
    private const string Scale = "scales";
    private const string Zero = "qzeros";
    private const string Index = "g_idx";
    private const string FormatName = "GPTQ";

    private GptqSource(IWeightSource source, GptqFormat format, int? group, IDisposable? owned)
        : base(source.Description, Gather(source, format, group), source.Metadata, owned)
    {
    }

    /// <summary>Opens a model with what its configuration says; nothing is converted yet.</summary>
    /// <param name="path">Its folder, or a safetensors file or index in it.</param>
    /// <exception cref="IOException">A file is not there or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">A file may not be read.</exception>
    /// <exception cref="WeightFormatException">A file is malformed, or has something that is not taken.</exception>
    public static GptqSource Open(string path) => PackedFolder.Open(path, (model, config) =>
    {
        config?.Expect("quant_method", "gptq");
        config?.Expect("bits", "4");
        config?.Expect("checkpoint_format", "gptq", "gptq_v2");
        GptqFormat format = config?.Text("checkpoint_format") is { } text && text.Equals("gptq_v2", StringComparison.OrdinalIgnoreCase) ? GptqFormat.V2 : GptqFormat.V1;
        return new GptqSource(model, format, config?.Group("group_size"), model);
    });

    /// <summary>Takes tensors from another source, which stays the caller's and must stay open.</summary>
    /// <param name="source">The model's tensors.</param>
    /// <param name="format">What its zero points are.</param>
    /// <param name="group">Columns that share a scale; where null, what the scales say, which suffices unless the last group is shorter.</param>
    /// <exception cref="WeightFormatException">The tensors are not those of such a model.</exception>
    public static GptqSource From(IWeightSource source, GptqFormat format, int? group = null)
    {
        ArgumentNullException.ThrowIfNull(source);
        return new GptqSource(source, format, group, owned: null);
    }

    private static ImportedTensors Gather(IWeightSource source, GptqFormat format, int? group)
    {
        var tensors = new PackedTensors(source);
        foreach (string prefix in tensors.FindLayers(Weight, FormatName))
        {
            WeightTensor weight = tensors.Get(prefix, Weight);
            WeightTensor scale = tensors.Get(prefix, Scale);
            WeightTensor zero = tensors.Get(prefix, Zero);
            if (weight.Type != TensorType.I32 || weight.Shape.Count != 2 || scale.Shape.Count != 2 || scale.Shape[1] != weight.Shape[1])
            {
                throw tensors.Unfit(prefix, Weight, weight, "I32 [in/8, out] is expected, and scales [groups, out] beside it");
            }

            Linear4BitShape shape = tensors.ShapeOf(prefix, weight.Shape[0] * 8, weight.Shape[1], scale.Shape[0], group);
            tensors.Expect(prefix, Scale, scale, [TensorType.F16, TensorType.BF16, TensorType.F32], shape.Groups, shape.Out);
            tensors.Expect(prefix, Zero, zero, [TensorType.I32], shape.Groups, (shape.Out + 7) / 8);
            int[]? order = GroupIndex.ReadOrder(tensors, prefix, Index, shape);
            string what = $"{source.Description}: layer {PackedTensors.Name(prefix, Weight)}";
            new Layer(shape, weight, scale, zero, format, what, order).AddTo(tensors.Imported, prefix, FormatName);
        }

        return tensors.PassTheRest();
    }

    private sealed class Layer(
        Linear4BitShape shape, WeightTensor weight, WeightTensor scale, WeightTensor zero, GptqFormat format, string what, int[]? order)
        : PackedLayer(shape, scale, [weight, zero], what, order)
    {
        protected override int ScaleIndex(int row, int group) => group * Shape.Out + row;

        protected override void FillNibbles(LayerBuilder layer)
        {
            if (Order is not null)
            {
                FillInOrder(layer, Order);
                return;
            }

            ReadWords(weight, (step, words) =>
            {
                for (int o = 0; o < Shape.Out; o++)
                {
                    words.Slice(o * WordBytes, WordBytes).CopyTo(layer.Row(o)[(step * WordBytes)..]);
                }
            });
        }

        private void FillInOrder(LayerBuilder layer, int[] order)
        {
            int[] columns = new int[order.Length];
            for (int k = 0; k < order.Length; k++)
            {
                columns[order[k]] = k;
            }

            ReadWords(weight, (step, words) =>
            {
                for (int o = 0; o < Shape.Out; o++)
                {
                    for (int i = 0; i < WordNibbles; i++)
                    {
                        layer.SetNibble(o, columns[step * WordNibbles + i], Nibble(words, o * WordNibbles + i));
                    }
                }
            });
        }

        protected override byte[] ReadZeros()
        {
            int groups = Shape.Groups;
            int less = format == GptqFormat.V1 ? 1 : 0;
            byte[] zeros = new byte[Shape.ScaleCount];
            ReadWords(zero, (group, words) =>
            {
                for (int o = 0; o < Shape.Out; o++)
                {
                    zeros[o * groups + group] = (byte)(Nibble(words, o) + less & 15);
                }
            });
            return zeros;
        }
    }
}
