using Q4Gen.Import.Conversion;

namespace Q4Gen.Import.Packed;

/// <summary>A model in MLX's affine quantisation of 4 bits as a weight source.</summary>
/// <remarks>
/// A layer is <c>weight</c>, U32 <c>[out, in/8]</c> with q in each nibble, the lowest bits first, whose bytes are ours;
/// <c>scales</c> and <c>biases</c> <c>[out, groups]</c>: <c>w = q · scale + bias = (q − 8) · scale + (bias + 8 · scale)</c>. Scales
/// in F16 stay; those in BF16 do unless they are tiny or huge; offsets are rounded to F16, and
/// <see cref="ImportedLayer.Error"/> says what that costs. Embeddings are quantised there too and are imported as layers.
/// Source: the documentation of <c>mlx.core.quantize</c>.
/// </remarks>
public sealed class MlxSource : ImportSource
{
    private const string Weight = "weight";
    private const string Scale = "scales";
    private const string Bias = "biases";
    private const string FormatName = "MLX";

    private MlxSource(IWeightSource source, int? group, IDisposable? owned)
        : base(source.Description, Gather(source, group), source.Metadata, owned)
    {
    }

    /// <summary>Opens a model with what its configuration says; nothing is converted yet.</summary>
    /// <param name="path">Its folder, or a safetensors file or index in it.</param>
    /// <exception cref="IOException">A file is not there or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">A file may not be read.</exception>
    /// <exception cref="WeightFormatException">A file is malformed, or has something that is not taken.</exception>
    public static MlxSource Open(string path) => PackedFolder.Open(path, (model, config) =>
    {
        config?.Expect("bits", "4");
        config?.Expect("mode", "affine");
        return new MlxSource(model, config?.Group("group_size"), model);
    });

    /// <summary>Takes tensors from another source, which stays the caller's and must stay open.</summary>
    /// <param name="source">The model's tensors.</param>
    /// <param name="group">Columns that share a scale; where null, what the scales say.</param>
    /// <exception cref="WeightFormatException">The tensors are not those of such a model.</exception>
    public static MlxSource From(IWeightSource source, int? group = null)
    {
        ArgumentNullException.ThrowIfNull(source);
        return new MlxSource(source, group, owned: null);
    }

    private static ImportedTensors Gather(IWeightSource source, int? group)
    {
        var tensors = new PackedTensors(source);
        foreach (string prefix in tensors.FindLayers(Scale, FormatName))
        {
            WeightTensor weight = tensors.Get(prefix, Weight);
            WeightTensor scale = tensors.Get(prefix, Scale);
            WeightTensor bias = tensors.Get(prefix, Bias);
            if (weight.Type != TensorType.U32 || weight.Shape.Count != 2 || scale.Shape.Count != 2)
            {
                throw tensors.Unfit(prefix, Weight, weight, "U32 [out, in/8] is expected, and scales [out, groups] beside it");
            }

            Linear4BitShape shape = tensors.ShapeOf(prefix, weight.Shape[1] * 8, weight.Shape[0], scale.Shape[1], group);
            ReadOnlySpan<TensorType> floats = [TensorType.F16, TensorType.BF16, TensorType.F32];
            tensors.Expect(prefix, Scale, scale, floats, shape.Out, shape.Groups);
            tensors.Expect(prefix, Bias, bias, floats, shape.Out, shape.Groups);
            new Layer(shape, weight, scale, bias, $"{source.Description}: layer {PackedTensors.Name(prefix, Weight)}").AddTo(tensors.Imported, prefix, FormatName);
        }

        return tensors.PassTheRest();
    }

    private sealed class Layer(Linear4BitShape shape, WeightTensor weight, WeightTensor scale, WeightTensor bias, string what)
        : PackedLayer(shape, scale, [weight, bias], what)
    {
        protected override bool IsAffine() => true;

        protected override byte[]? ReadZeros() => null;

        protected override float[] ReadOffsets() => bias.ToSingleArray();

        protected override void FillNibbles(LayerBuilder layer) => CopyRows(weight, layer);
    }
}
