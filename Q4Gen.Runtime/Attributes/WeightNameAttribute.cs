namespace Q4Gen;

/// <summary>
/// Names a child of a model (a property or field whose type holds layers, or an array or list of such) in weight
/// files, in place of its own name in snake_case. It may contain dots; empty means that the child's tensors stand
/// directly under the parent's prefix.
/// </summary>
/// <param name="name">The name between the parent's prefix and the child's tensors, for instance <c>"model.layers"</c>.</param>
[AttributeUsage(AttributeTargets.Property | AttributeTargets.Field, Inherited = false)]
public sealed class WeightNameAttribute(string name) : Attribute
{
    /// <summary>The name between the parent's prefix and the child's tensors.</summary>
    public string Name { get; } = name;
}
