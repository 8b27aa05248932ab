using Q4Gen.Format;

namespace Q4Gen.Generator.Model;

/// <summary>The shape of an annotated layer: what its kernels depend on.</summary>
/// <param name="In">Input features: positive and even.</param>
/// <param name="Out">Output features: positive.</param>
/// <param name="Group">Columns that share one scale: positive.</param>
internal sealed record LayerShape(int In, int Out, int Group)
{
    /// <summary>The name of the generated family of kernels: <c>Linear4Bit_4096x11008_g128</c>.</summary>
    public string FamilyName => new KernelName("Linear4Bit", In, Out, Group, "").ToString();
}
