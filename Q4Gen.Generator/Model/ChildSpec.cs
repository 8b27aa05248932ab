namespace Q4Gen.Generator.Model;

/// <summary>A member whose type, or whose elements' type, holds layers or is one.</summary>
/// <param name="Name">The member's name.</param>
/// <param name="Identifier">The name as C# needs it written.</param>
/// <param name="TensorName">Its name in weight files, under the container's prefix.</param>
/// <param name="Type">The child's type, or its elements' type, fully qualified.</param>
/// <param name="IsLayer">Whether the type is an annotated class, which is loaded as a layer, and not a model.</param>
/// <param name="IsValueType">Whether the type is a struct.</param>
/// <param name="Collection">What holds the elements.</param>
/// <param name="IsField">Whether the member can be passed by reference.</param>
/// <param name="CanAssign">Whether the member can be assigned.</param>
/// <param name="CanCreate">Whether <c>new()</c> works on the type.</param>
internal sealed record ChildSpec(
    string Name,
    string Identifier,
    string TensorName,
    string Type,
    bool IsLayer,
    bool IsValueType,
    ChildCollection Collection,
    bool IsField,
    bool CanAssign,
    bool CanCreate);

/// <summary>What holds a container's children.</summary>
internal enum ChildCollection
{
    /// <summary>The member is the child.</summary>
    None,

    /// <summary>An array.</summary>
    Array,

    /// <summary>A <c>List&lt;T&gt;</c>.</summary>
    List,

    /// <summary>An <c>IReadOnlyList&lt;T&gt;</c>.</summary>
    ReadOnlyList,
}
