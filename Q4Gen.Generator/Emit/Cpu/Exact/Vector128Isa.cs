namespace Q4Gen.Generator.Emit.Cpu;

/// <summary>Portable 128-bit vectors, for Arm AdvSimd and x86 SSE: four vectors a panel.</summary>
internal sealed class Vector128Isa : MaskedNibbleIsa
{
    public override string Name => "vector128";

    public override string EnumMember => "Vector128";

    public override string IsSupported => "Vector128.IsHardwareAccelerated";

    public override string IntrinsicClass => "System.Runtime.Intrinsics.Vector128";

    public override int Bits => 128;

    // Fused where the processor can, two instructions elsewhere; never the slow software emulation.
    public override string MultiplyAdd(string a, string b, string c) => $"MultiplyAddEstimate({a}, {b}, {c})";

    protected override string Convert(string words) => $"ConvertToSingle({words})";
}
