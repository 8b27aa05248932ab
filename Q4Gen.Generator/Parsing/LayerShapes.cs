using System.Linq;
using Q4Gen.Generator.Model;

namespace Q4Gen.Generator.Parsing;

/// <summary>The shapes that a program needs kernels for.</summary>
internal static class LayerShapes
{
    /// <summary>Each once, in order, with the project's precision where an attribute says nothing.</summary>
    public static EquatableArray<LayerShape> Of(EquatableArray<ParsedType> types, LayerPrecision precision) => Of(
        types.Where(static type => type.Container is not null).Select(type => type.Container!.Resolve(precision)).ToEquatableArray(),
        types.Where(static type => type.LayerClass is not null).Select(type => type.LayerClass!.Resolve(precision)).ToEquatableArray());

    /// <summary>Each once, in order.</summary>
    public static EquatableArray<LayerShape> Of(EquatableArray<ContainerSpec> containers, EquatableArray<LayerClassSpec> layerClasses) =>
        containers.SelectMany(static container => container.Layers.Select(static layer => layer.Shape))
            .Concat(layerClasses.Select(static layer => layer.Shape))
            .Distinct()
            .OrderBy(static shape => shape.In).ThenBy(static shape => shape.Out).ThenBy(static shape => shape.Group).ThenBy(static shape => shape.Precision)
            .ToEquatableArray();
}
