using Q4Gen.Generator.Model;

namespace Q4Gen.Generator.Planning;

/// <summary>Decides how the kernels of a shape are built. Pure: the same shape gives the same plan everywhere.</summary>
internal static class KernelPlanner
{
    public static KernelPlan Plan(LayerShape shape) => new(shape);
}
