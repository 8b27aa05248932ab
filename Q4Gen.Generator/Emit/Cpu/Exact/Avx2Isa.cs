namespace Q4Gen.Generator.Emit.Cpu;

/// <summary>AVX2 with FMA: two vectors a panel.</summary>
internal sealed class Avx2Isa : MaskedNibbleIsa
{
    public override string Name => "avx2";

    public override string EnumMember => "Avx2";

    public override string IsSupported => "Avx2.IsSupported && Fma.IsSupported";

    public override string IntrinsicClass => "System.Runtime.Intrinsics.X86.Fma";

    public override int Bits => 256;

    public override string MultiplyAdd(string a, string b, string c) => $"MultiplyAdd({a}, {b}, {c})";

    protected override string Convert(string words) => $"Avx.ConvertToVector256Single({words})";
}
