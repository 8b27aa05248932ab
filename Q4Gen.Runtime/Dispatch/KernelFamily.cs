using System.ComponentModel;

namespace Q4Gen.Kernels;

/// <summary>All kernels of one shape and precision; generated code derives from it and registers it.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public abstract class KernelFamily(Linear4BitShape shape, Linear4BitPrecision precision = Linear4BitPrecision.Exact)
{
    private Linear4BitKernel? _best;

    /// <summary>The shape.</summary>
    public Linear4BitShape Shape { get; } = shape;

    /// <summary>What its kernels do with activations.</summary>
    public Linear4BitPrecision Precision { get; } = precision;

    /// <summary>The kernel for the best instruction set that this processor has.</summary>
    public Linear4BitKernel Best => _best ??= CreateBest();

    /// <summary>The kernel for one instruction set, or null where this processor lacks it or the shape has none for it.</summary>
    public abstract Linear4BitKernel? Create(KernelIsa isa);

    /// <summary>
    /// Creates the kernel for the best instruction set that this processor has. Dot products of bytes come first: only
    /// families for int8 activations have them, and no wider vector without them does more in a cycle.
    /// </summary>
    protected virtual Linear4BitKernel CreateBest() =>
        Create(KernelIsa.AvxVnni) ?? Create(KernelIsa.Dp) ?? Create(KernelIsa.Avx512) ?? Create(KernelIsa.Avx2)
            ?? Create(KernelIsa.Vector128) ?? Create(KernelIsa.Scalar)
            ?? throw new InvalidOperationException($"The kernel family of {Shape} has no scalar kernel.");
}
