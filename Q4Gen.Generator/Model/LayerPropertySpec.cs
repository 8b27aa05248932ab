namespace Q4Gen.Generator.Model;

/// <summary>An annotated property.</summary>
/// <param name="Name">The property's name.</param>
/// <param name="Identifier">The name as C# needs it written.</param>
/// <param name="Field">The backing field.</param>
/// <param name="TensorName">The layer's name in weight files, under the container's prefix.</param>
/// <param name="Shape">The declared shape.</param>
/// <param name="HasBias">Whether it declares a bias.</param>
/// <param name="IsAffine">Whether it declares affine weights.</param>
/// <param name="IsNullable">Whether the property may hold null.</param>
/// <param name="IsDocumented">Whether the user's declaration has an XML comment, which a generated one would replace.</param>
/// <param name="Modifiers">The declaration's modifiers, which its implementation must repeat.</param>
/// <param name="Getter">The get accessor's keywords.</param>
/// <param name="Setter">The set or init accessor's keywords; empty without one.</param>
internal sealed record LayerPropertySpec(
    string Name,
    string Identifier,
    string Field,
    string TensorName,
    LayerShape Shape,
    bool HasBias,
    bool IsAffine,
    bool IsNullable,
    bool IsDocumented,
    string Modifiers,
    string Getter,
    string Setter)
{
    /// <summary>The same property with the project's precision where its attribute says nothing.</summary>
    public LayerPropertySpec Resolve(LayerPrecision projectPrecision) => this with { Shape = Shape.Resolve(projectPrecision) };
}
