namespace Q4Gen;

/// <summary>Instruction sets that kernels are written for.</summary>
public enum KernelIsa
{
    /// <summary>Plain C#: the specification that every other kernel is tested against.</summary>
    Scalar,

    /// <summary>Portable 128-bit vectors: Arm AdvSimd and x86 SSE.</summary>
    Vector128,

    /// <summary>x86 AVX2 with FMA.</summary>
    Avx2,

    /// <summary>x86 AVX-512 F.</summary>
    Avx512,

    /// <summary>x86 AVX-VNNI: dot products of bytes, for int8 activations.</summary>
    AvxVnni,

    /// <summary>Arm dot products of bytes (<c>SDOT</c>), for int8 activations.</summary>
    Dp,
}
