namespace Q4Gen;

/// <summary>What computes a layer.</summary>
/// <param name="Name">The kernel's name, such as <c>Linear4Bit_4096x11008_g128_avx512</c>.</param>
/// <param name="Isa">The instruction set that it is written for.</param>
/// <param name="Precision">What it does with activations.</param>
/// <param name="IsGenerated">Whether the compiler emitted it for exactly this shape; false for the generic kernel.</param>
public readonly record struct KernelInfo(string Name, KernelIsa Isa, Linear4BitPrecision Precision, bool IsGenerated)
{
    /// <summary><c>Linear4Bit_4096x11008_g128_avx512 (generated)</c>, or <c>… (generated, int8 activations)</c>.</summary>
    public override string ToString() =>
        $"{Name} ({(IsGenerated ? "generated" : "generic")}{(Precision == Linear4BitPrecision.Int8Activations ? ", int8 activations" : "")})";
}
