using System.Collections.Generic;

namespace Q4Gen.Generator.Emit.Cpu;

/// <summary>AVX-VNNI: one instruction multiplies, widens and adds.</summary>
internal sealed class AvxVnniInt8Isa : Int8Isa
{
    public override string Name => "avxvnni";

    public override string EnumMember => "AvxVnni";

    public override string IsSupported => "AvxVnni.IsSupported";

    public override string IntrinsicNamespace => "System.Runtime.Intrinsics.X86";

    public override int Bits => 256;

    protected override IEnumerable<string> Why => ["Products go to 32 bits at once; nothing saturates."];

    protected override string DotExpression =>
        "AvxVnni.MultiplyWideningAndAdd(AvxVnni.MultiplyWideningAndAdd(sum, even, xEven), odd, xOdd)";
}

/// <summary>Arm dot products: as AVX-VNNI, of signed bytes, which nibbles are too.</summary>
internal sealed class DpInt8Isa : Int8Isa
{
    public override string Name => "dp";

    public override string EnumMember => "Dp";

    public override string IsSupported => "Dp.IsSupported";

    public override string IntrinsicNamespace => "System.Runtime.Intrinsics.Arm";

    public override int Bits => 128;

    protected override IEnumerable<string> Why => ["Products go to 32 bits at once; nothing saturates."];

    protected override string DotExpression => "Dp.DotProduct(Dp.DotProduct(sum, even.AsSByte(), xEven), odd.AsSByte(), xOdd)";
}

/// <summary>x86 without VNNI: pairs of products come together in 16 bits, and those of even and odd columns are added there.</summary>
internal abstract class PairwiseInt8Isa : Int8Isa
{
    public sealed override string IntrinsicNamespace => "System.Runtime.Intrinsics.X86";

    /// <summary>The class that has the instructions for this width.</summary>
    protected abstract string Intrinsics { get; }

    protected sealed override IEnumerable<string> Why => ["Four products of at most 15 * 127 make 7,620: 16 bits hold them, nothing saturates."];

    protected sealed override string DotExpression =>
        $"sum + {Intrinsics}.MultiplyAddAdjacent({Intrinsics}.MultiplyAddAdjacent(even, xEven) + {Intrinsics}.MultiplyAddAdjacent(odd, xOdd), {Vector}<short>.One)";
}

/// <summary>AVX2 without VNNI.</summary>
internal sealed class Avx2Int8Isa : PairwiseInt8Isa
{
    public override string Name => "avx2";

    public override string EnumMember => "Avx2";

    public override string IsSupported => "Avx2.IsSupported && Fma.IsSupported";

    public override int Bits => 256;

    protected override string Intrinsics => "Avx2";
}

/// <summary>AVX-512 BW without VNNI: a vector is a whole panel.</summary>
internal sealed class Avx512Int8Isa : PairwiseInt8Isa
{
    public override string Name => "avx512";

    public override string EnumMember => "Avx512";

    public override string IsSupported => "Avx512BW.IsSupported";

    public override int Bits => 512;

    protected override string Intrinsics => "Avx512BW";
}

/// <summary>128-bit vectors without dot products, on x86 and Arm.</summary>
internal sealed class Vector128Int8Isa : Int8Isa
{
    public override string Name => "vector128";

    public override string EnumMember => "Vector128";

    public override string IsSupported => "DotProducts.IsSupported";

    public override string IntrinsicNamespace => "";

    public override int Bits => 128;

    protected override IEnumerable<string> Why => ["Four products of at most 15 * 127 make 7,620: 16 bits hold them, nothing saturates."];

    protected override string DotExpression => "DotProducts.Add(sum, even, odd, xEven, xOdd)";
}
