using Q4Gen.Import.Conversion;

namespace Q4Gen.Import.Packed;

/// <summary>A model in 4-bit AWQ, in the layout of its GEMM kernels, as a weight source.</summary>
/// <remarks>
/// <para>
/// A layer is <c>qweight</c>, I32 <c>[in, out/8]</c>; <c>qzeros</c>, I32 <c>[groups, out/8]</c>; <c>scales</c>
/// <c>[groups, out]</c>: <c>w = (q − zero) · scale</c>. From the lowest bits on, a word holds outputs 8c + 0, 2, 4, 6, 1, 3,
/// 5, 7. Scales stay; offsets, <c>(8 − zero) · scale</c>, are rounded to F16, which is exact unless the product has more
/// than 11 bits: <see cref="ImportedLayer.Error"/> says what that costs.
/// </para>
/// <para>Source: <c>WQLinear_GEMM</c> of AutoAWQ.</para>
/// </remarks>
public sealed class AwqSource : ImportSource
{
    private const string Weight = "qweight";
    private const string Scale = "scales";
    private const string Zero = "qzeros";
    private const string FormatName = "AWQ";

    private AwqSource(IWeightSource source, int? group, IDisposable? owned)
        : base(source.Description, Gather(source, group), source.Metadata, owned)
    {
    }

    /// <summary>The nibble of a word in which its output i is.</summary>
    private static ReadOnlySpan<byte> Places => [0, 4, 1, 5, 2, 6, 3, 7];

    /// <summary>Opens a model with what its configuration says; nothing is converted yet.</summary>
    /// <param name="path">Its folder, or a safetensors file or index in it.</param>
    /// <exception cref="IOException">A file is not there or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">A file may not be read.</exception>
    /// <exception cref="WeightFormatException">A file is malformed, or has something that is not taken.</exception>
    public static AwqSource Open(string path) => PackedFolder.Open(path, (model, config) =>
    {
        config?.Expect("quant_method", "awq");
        config?.Expect("bits", "4");
        config?.Expect("w_bit", "4");
        config?.Expect("version", "gemm");
        return new AwqSource(model, config?.Group("group_size") ?? config?.Group("q_group_size"), model);
    });

    /// <summary>Takes tensors from another source, which stays the caller's and must stay open.</summary>
    /// <param name="source">The model's tensors.</param>
    /// <param name="group">Columns that share a scale; where null, what the scales say, which suffices unless the last group is shorter.</param>
    /// <exception cref="WeightFormatException">The tensors are not those of such a model.</exception>
    public static AwqSource From(IWeightSource source, int? group = null)
    {
        ArgumentNullException.ThrowIfNull(source);
        return new AwqSource(source, group, owned: null);
    }

    private static ImportedTensors Gather(IWeightSource source, int? group)
    {
        var tensors = new PackedTensors(source);
        foreach (string prefix in tensors.FindLayers(Weight, FormatName))
        {
            WeightTensor weight = tensors.Get(prefix, Weight);
            WeightTensor scale = tensors.Get(prefix, Scale);
            WeightTensor zero = tensors.Get(prefix, Zero);
            if (weight.Type != TensorType.I32 || weight.Shape.Count != 2 || scale.Shape.Count != 2 || scale.Shape[1] != weight.Shape[1] * 8)
            {
                throw tensors.Unfit(prefix, Weight, weight, "I32 [in, out/8] is expected, and scales [groups, out] beside it");
            }

            Linear4BitShape shape = tensors.ShapeOf(prefix, weight.Shape[0], scale.Shape[1], scale.Shape[0], group);
            tensors.Expect(prefix, Scale, scale, [TensorType.F16, TensorType.BF16, TensorType.F32], shape.Groups, shape.Out);
            tensors.Expect(prefix, Zero, zero, [TensorType.I32], shape.Groups, shape.Out / 8);
            new Layer(shape, weight, scale, zero, $"{source.Description}: layer {PackedTensors.Name(prefix, Weight)}").AddTo(tensors.Imported, prefix, FormatName);
        }

        return tensors.PassTheRest();
    }

    private sealed class Layer(Linear4BitShape shape, WeightTensor weight, WeightTensor scale, WeightTensor zero, string what)
        : PackedLayer(shape, scale, [weight, zero], what)
    {
        protected override int ScaleIndex(int row, int group) => group * Shape.Out + row;

        protected override void FillNibbles(LayerBuilder layer) => ReadWords(weight, (column, words) =>
        {
            for (int o = 0; o < Shape.Out; o++)
            {
                layer.SetNibble(o, column, Output(words, o));
            }
        });

        protected override byte[] ReadZeros()
        {
            int groups = Shape.Groups;
            byte[] zeros = new byte[Shape.ScaleCount];
            ReadWords(zero, (group, words) =>
            {
                for (int o = 0; o < Shape.Out; o++)
                {
                    zeros[o * groups + group] = Output(words, o);
                }
            });
            return zeros;
        }

        private static byte Output(ReadOnlySpan<byte> words, int output) =>
            Nibble(words, output / WordNibbles * WordNibbles + Places[output % WordNibbles]);
    }
}
