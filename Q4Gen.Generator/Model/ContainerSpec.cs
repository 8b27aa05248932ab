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
/// <param name="Rejected">Annotated properties that are in error.</param>
internal sealed record ContainerSpec(
    TypeShell Shell,
    bool IsValueType,
    bool NeedsLayoutAttribute,
    bool EmitLoad,
    LoadFromKind LoadFrom,
    EquatableArray<LayerPropertySpec> Layers,
    EquatableArray<ChildSpec> Children,
    EquatableArray<RejectedPropertySpec> Rejected)
{
    /// <summary>A type that is itself in error, and is given nothing but bodies for its properties.</summary>
    public static ContainerSpec Reject(TypeShell shell, EquatableArray<RejectedPropertySpec> rejected) => new(
        shell with { HintName = shell.HintName.Replace(".g.cs", ".rejected.g.cs") },
        IsValueType: false,
        NeedsLayoutAttribute: false,
        EmitLoad: false,
        LoadFromKind.None,
        EquatableArray<LayerPropertySpec>.Empty,
        EquatableArray<ChildSpec>.Empty,
        rejected);

    /// <summary>The same container with the project's precision where an attribute says nothing.</summary>
    public ContainerSpec Resolve(LayerPrecision projectPrecision) =>
        this with { Layers = Layers.Select(layer => layer.Resolve(projectPrecision)).ToEquatableArray() };
}

/// <summary>How a generated <c>LoadFrom</c> relates to the base type's.</summary>
internal enum LoadFromKind
{
    /// <summary>There is none: the type is in error.</summary>
    None,

    /// <summary>The first of its hierarchy, which nobody can derive from.</summary>
    Final,

    /// <summary>The first of its hierarchy.</summary>
    Virtual,

    /// <summary>Overrides the base type's, and calls it.</summary>
    Override,

    /// <summary>Implements the interface anew over a base type whose method is not virtual, and calls it.</summary>
    New,
}
