using System.Linq;

namespace Q4Gen.Generator.Model;

/// <summary>A type that holds layers or children that do, and gets a <c>Load</c>.</summary>
/// <param name="Shell">Where its generated part goes.</param>
/// <param name="IsValueType">Whether it is a struct.</param>
/// <param name="NeedsLayoutAttribute">Whether the generated fields would make the compiler warn about the order of a struct's fields.</param>
/// <param name="EmitLoad">Whether <c>Load</c> is generated; not where a base or the user has one.</param>
/// <param name="LoadFrom">How <c>LoadFrom</c> relates to the base type's.</param>
/// <param name="Layers">Annotated properties in declaration order.</param>
/// <param name="Children">Members that hold layers, in declaration order.</param>
internal sealed record ContainerSpec(
    TypeShell Shell,
    bool IsValueType,
    bool NeedsLayoutAttribute,
    bool EmitLoad,
    LoadFromKind LoadFrom,
    EquatableArray<LayerPropertySpec> Layers,
    EquatableArray<ChildSpec> Children)
{
    /// <summary>The same container with the project's precision where an attribute says nothing.</summary>
    public ContainerSpec Resolve(LayerPrecision projectPrecision) =>
        this with { Layers = Layers.Select(layer => layer.Resolve(projectPrecision)).ToEquatableArray() };
}

/// <summary>How a generated <c>LoadFrom</c> relates to the base type's.</summary>
internal enum LoadFromKind
{
    /// <summary>The first of its hierarchy, which nobody can derive from.</summary>
    Final,

    /// <summary>The first of its hierarchy.</summary>
    Virtual,

    /// <summary>Overrides the base type's, and calls it.</summary>
    Override,

    /// <summary>Implements the interface anew over a base type whose method is not virtual, and calls it.</summary>
    New,
}
