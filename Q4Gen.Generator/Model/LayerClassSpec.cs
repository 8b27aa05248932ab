namespace Q4Gen.Generator.Model;

/// <summary>An annotated class, which becomes a layer.</summary>
/// <param name="Shell">Where its generated part goes.</param>
/// <param name="Shape">The declared shape.</param>
/// <param name="HasBias">Whether it declares a bias.</param>
/// <param name="IsAffine">Whether it declares affine weights.</param>
internal sealed record LayerClassSpec(TypeShell Shell, LayerShape Shape, bool HasBias, bool IsAffine)
{
    /// <summary>The same class with the project's precision where its attribute says nothing.</summary>
    public LayerClassSpec Resolve(LayerPrecision projectPrecision) => this with { Shape = Shape.Resolve(projectPrecision) };
}
