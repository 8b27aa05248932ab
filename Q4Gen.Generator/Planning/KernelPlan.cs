using Q4Gen.Generator.Model;

namespace Q4Gen.Generator.Planning;

/// <summary>Everything that emitters may branch on for one shape.</summary>
internal sealed record KernelPlan(LayerShape Shape);
