namespace Q4Gen;

/// <summary>
/// A type whose layers can be loaded from named tensors: every class or struct with <see cref="Linear4BitAttribute"/>
/// properties implements it in generated code.
/// </summary>
public interface ILinear4BitModel
{
    /// <summary>Visits every layer and child of the model under <paramref name="prefix"/>, first to read, then to assign.</summary>
    /// <param name="load">The load in progress.</param>
    /// <param name="prefix">Name of this model in the source; empty for the root.</param>
    void LoadFrom(ModelLoad load, string prefix);
}
