using Q4Gen.Loading;

namespace Q4Gen.PackedFiles;

/// <summary>A layer that is to be written in panels, known by its tensors' headers: nothing is converted yet.</summary>
/// <param name="Prefix">Name of the layer, without the last dot.</param>
/// <param name="Shape">In, Out and Group.</param>
/// <param name="HasBias">Whether it has a bias.</param>
/// <param name="IsAffine">Whether it has offsets.</param>
/// <param name="HasOrder">Whether it has an order, be it that of inputs.</param>
/// <param name="Names">What its tensors are called in the source.</param>
internal sealed record PackedLayerPlan(
    string Prefix, Linear4BitShape Shape, bool HasBias, bool IsAffine, bool HasOrder, IReadOnlyList<string> Names)
{
    private static readonly string[] s_rows =
        [LayerTensors.WeightSuffix, LayerTensors.ScalesSuffix, LayerTensors.OffsetsSuffix, LayerTensors.OrderSuffix, LayerTensors.BiasSuffix];

    /// <summary>The 4-bit layers of a source, in rows or in panels, in the order of their names.</summary>
    /// <exception cref="WeightFormatException">A layer's tensors do not fit each other, or its group is open.</exception>
    public static IReadOnlyList<PackedLayerPlan> FindAll(IWeightSource source)
    {
        SortedSet<string> prefixes = PackedFormat.FindLayers(source);
        prefixes.UnionWith(source.Names.Select(static name => PackedFormat.PrefixOf(name, LayerTensors.WeightSuffix)).OfType<string>());
        return [.. prefixes.Select(prefix => Find(source, prefix))];
    }

    private static PackedLayerPlan Find(IWeightSource source, string prefix)
    {
        if (PanelTensors.Find(source, prefix) is { } panels)
        {
            return new PackedLayerPlan(
                prefix, panels.Shape, panels.Bias != null, panels.Offsets != null, panels.Order != null,
                [.. PackedFormat.Suffixes.ToArray().Append(LayerTensors.OrderSuffix).Select(suffix => LayerTensors.Join(prefix, suffix))]);
        }

        LayerTensors rows = LayerTensors.Find(source, prefix);
        var shape = new Linear4BitShape(rows.In, rows.Out, GroupInference.Infer(rows, null));
        return new PackedLayerPlan(
            prefix, shape, rows.Bias != null, rows.Offsets != null, rows.Order != null,
            [.. s_rows.Select(suffix => LayerTensors.Join(prefix, suffix))]);
    }
}
