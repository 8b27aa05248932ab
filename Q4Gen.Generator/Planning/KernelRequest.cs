using Q4Gen.Generator.Model;

namespace Q4Gen.Generator.Planning;

/// <summary>All that the kernels of one shape follow from.</summary>
/// <param name="Shape">The shape.</param>
/// <param name="Targets">Names of the instruction sets that the project wants kernels for.</param>
/// <param name="Choices">What tuning chose for it.</param>
internal sealed record KernelRequest(LayerShape Shape, EquatableArray<string> Targets, EquatableArray<MachineChoices> Choices)
{
    /// <summary>A shape with nothing said about it.</summary>
    public static KernelRequest Of(LayerShape shape) => new(shape, IsaNames.All, EquatableArray<MachineChoices>.Empty);
}
