namespace Q4Gen;

/// <summary>
/// A type whose layers can be loaded from named tensors: every type with <see cref="Linear4BitAttribute"/> properties,
/// and every type with <see cref="Linear4BitModelAttribute"/>, implements it in generated code.
/// </summary>
public interface ILinear4BitModel
{
    /// <summary>
    /// Visits every layer and child of the model under <paramref name="prefix"/>, in the same order each time. It is
    /// called twice: first to read, while nothing is assigned, then to assign what was read.
    /// </summary>
    /// <param name="load">The load in progress.</param>
    /// <param name="prefix">Name of this model in the source; empty for the root.</param>
    void LoadFrom(ModelLoad load, string prefix);
}
