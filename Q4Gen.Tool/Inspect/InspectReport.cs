using Q4Gen.Import;

namespace Q4Gen.Tool.Inspect;

/// <summary>What <c>inspect</c> says of a model; <c>--json</c> prints it as it is.</summary>
internal sealed record InspectReport(
    string Path,
    ModelFormat Format,
    long Bytes,
    IReadOnlyDictionary<string, string> Metadata,
    IReadOnlyList<FileTensor> Tensors,
    IReadOnlyList<InspectedLayer> Layers,
    InspectedScales? Scales)
{
    /// <summary>Looks at a model; floats would be quantised in groups of <paramref name="group"/>.</summary>
    public static InspectReport Of(ModelFile model, ScaleHistogram? scales, int group) => new(
        model.Path,
        model.Format,
        model.Tensors.Sum(tensor => tensor.ByteLength),
        model.Source.Metadata,
        model.Tensors,
        [.. model.Layers.Select(layer => InspectedLayer.Of(layer.IsQuantized ? layer : layer with { Shape = layer.Shape with { Group = group } }))],
        scales is { Total: not 0 } ? InspectedScales.Of(scales) : null);
}

/// <summary>A linear layer and what to write over a property or class for it.</summary>
internal sealed record InspectedLayer(
    string Name, int In, int Out, int Group, bool Bias, bool Affine, bool InputOrder, string Format, long BytesIn4Bits, string Attribute)
{
    public static InspectedLayer Of(LinearLayer layer)
    {
        Linear4BitShape shape = layer.Shape;
        long scaleBytes = shape.ScaleCount * sizeof(ushort) * (layer.IsAffine ? 2 : 1);
        string attribute = $"[Linear4Bit(In = {shape.In}, Out = {shape.Out}, Group = {shape.Group}{(layer.HasBias ? ", Bias = true" : "")}{(layer.IsAffine ? ", Affine = true" : "")})]";
        return new InspectedLayer(
            layer.Name, shape.In, shape.Out, shape.Group, layer.HasBias, layer.IsAffine, layer.HasInputOrder, layer.Format, shape.WeightBytes + scaleBytes, attribute);
    }
}

/// <summary>Scales of all layers in 4 bits.</summary>
internal sealed record InspectedScales(long Total, long Zero, long Negative, long NotFinite, IReadOnlyList<ScaleBin> Bins)
{
    public static InspectedScales Of(ScaleHistogram scales) => new(
        scales.Total, scales.Zero, scales.Negative, scales.NotFinite, [.. scales.Bins.Select(bin => new ScaleBin(bin.Exponent, bin.Count))]);
}

/// <summary>Scales from 2^Exponent to below twice that.</summary>
internal sealed record ScaleBin(int Exponent, long Count);
