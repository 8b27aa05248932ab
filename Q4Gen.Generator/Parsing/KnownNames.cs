namespace Q4Gen.Generator.Parsing;

/// <summary>Names in the runtime that parsing looks for.</summary>
internal static class KnownNames
{
    public const string LayerAttribute = "Q4Gen.Linear4BitAttribute";
    public const string ModelAttribute = "Q4Gen.Linear4BitModelAttribute";
    public const string WeightNameAttribute = "Q4Gen.WeightNameAttribute";
    public const string Layer = "Q4Gen.Linear4Bit";
    public const string Model = "Q4Gen.ILinear4BitModel";
    public const string WeightSource = "Q4Gen.IWeightSource";
    public const string GpuFamily = "Q4Gen.Gpu.Kernels.GpuKernelFamily";
    public const string GeneratorName = "Q4Gen";
}
