using Q4Gen.Safetensors;

namespace Q4Gen.Loading;

/// <summary>Holds a layer's tensors against the attribute that declares it.</summary>
internal static class DeclaredShape
{
    /// <summary>Throws at the first thing that is not as declared, with the attribute that would fit.</summary>
    /// <exception cref="WeightFormatException">A shape, the group, the bias or the offsets are others.</exception>
    public static void Check(LayerTensors tensors, Linear4BitShape shape, bool hasBias, bool isAffine)
    {
        if (tensors.In != shape.In || tensors.Out != shape.Out)
        {
            throw tensors.Unfit(LayerTensors.WeightSuffix, tensors.Weight,
                $"the attribute's In = {shape.In} and Out = {shape.Out} take U8 [{shape.Out}, {shape.In / 2}]; {Advice(tensors)}");
        }

        if (tensors.Groups != shape.Groups)
        {
            throw tensors.Unfit(LayerTensors.ScalesSuffix, tensors.Scales,
                $"the attribute's In = {shape.In} and Group = {shape.Group} take F16 [{shape.Out}, {shape.Groups}]; {Advice(tensors)}");
        }

        GroupInference.CheckAgreement(tensors, shape.Group, "the attribute's Group", Advice(tensors));
        if (tensors.Offsets != null && !isAffine)
        {
            throw tensors.Unfit(LayerTensors.OffsetsSuffix, tensors.Offsets, $"the attribute declares no affine weights; {Advice(tensors)}");
        }

        if (tensors.Offsets == null && isAffine)
        {
            throw new WeightFormatException(
                $"{MissingTensor.Describe(tensors.Source, tensors.Prefix, LayerTensors.OffsetsSuffix)} The attribute declares affine weights; {Advice(tensors)}.");
        }

        if (tensors.Bias != null && !hasBias)
        {
            throw tensors.Unfit(LayerTensors.BiasSuffix, tensors.Bias, $"the attribute declares no bias; {Advice(tensors)}");
        }

        if (tensors.Bias == null && hasBias)
        {
            throw new WeightFormatException(
                $"{MissingTensor.Describe(tensors.Source, tensors.Prefix, LayerTensors.BiasSuffix)} The attribute declares a bias; {Advice(tensors)}.");
        }
    }

    /// <summary>As <see cref="Check(LayerTensors, Linear4BitShape, bool, bool)"/>, of a layer in panels, which says itself what it is.</summary>
    /// <exception cref="WeightFormatException">A shape, the group, the bias or the offsets are others.</exception>
    public static void Check(PanelTensors panels, Linear4BitShape shape, bool hasBias, bool isAffine)
    {
        bool isSameShape = panels.Shape.In == shape.In && panels.Shape.Out == shape.Out && panels.HasGroup(shape.Group);
        if (!isSameShape || panels.Bias != null != hasBias || panels.Offsets != null != isAffine)
        {
            throw panels.Broken(
                $"layer {SafetensorsText.Quote(panels.Prefix)} is {Describe(panels.Shape, panels.Bias != null, panels.Offsets != null)}, but the attribute declares {Describe(shape, hasBias, isAffine)}",
                $"to load this file, write {Attribute(panels.Shape, panels.Bias != null, panels.Offsets != null)}");
        }
    }

    private static string Describe(Linear4BitShape shape, bool hasBias, bool isAffine) =>
        $"{shape} {(hasBias ? "with" : "without")} bias{(isAffine ? ", affine" : "")}";

    private static string Attribute(Linear4BitShape shape, bool hasBias, bool isAffine) =>
        $"[Linear4Bit(In = {shape.In}, Out = {shape.Out}, Group = {shape.Group}{(isAffine ? ", Affine = true" : "")}{(hasBias ? ", Bias = true" : "")})]";

    private static string Advice(LayerTensors tensors)
    {
        string group = GroupInference.TryInfer(tensors) is { } size
            ? $"Group = {size}"
            : $"Group = …";
        string bias = (tensors.Offsets == null ? "" : ", Affine = true") + (tensors.Bias == null ? "" : ", Bias = true");
        return $"to load this file, write [Linear4Bit(In = {tensors.In}, Out = {tensors.Out}, {group}{bias})]"
            + (group.EndsWith('…') ? $" with the group size that gives {tensors.Groups} groups" : "");
    }
}
