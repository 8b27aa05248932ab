using System.ComponentModel;
using Q4Gen.Threading;

namespace Q4Gen.Kernels;

/// <summary>
/// The kernels of one shape for one instruction set. Generated code derives from it; <see cref="Run"/> is the one
/// virtual call of a <c>Forward</c> (one a thread).
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public abstract class Linear4BitKernel
{
    /// <summary>Creates the kernels of <paramref name="shape"/> for <paramref name="isa"/>.</summary>
    protected Linear4BitKernel(Linear4BitShape shape, KernelIsa isa)
    {
        Shape = shape;
        Isa = isa;
    }

    /// <summary>The shape.</summary>
    public Linear4BitShape Shape { get; }

    /// <summary>The instruction set that the kernels are written for.</summary>
    public KernelIsa Isa { get; }

    /// <summary>What the kernels do with activations.</summary>
    public virtual Linear4BitPrecision Precision => Linear4BitPrecision.Exact;

    /// <summary>The name, such as <c>Linear4Bit_4096x11008_g128_avx512</c>.</summary>
    public abstract string Name { get; }

    /// <summary>Whether the compiler emitted these kernels for exactly this shape.</summary>
    public abstract bool IsGenerated { get; }

    /// <summary>
    /// Panels that are computed together. Work is divided between threads in multiples of it, so that each output is
    /// summed in the same order whatever the number of threads.
    /// </summary>
    public virtual int PanelsPerUnit => 1;

    /// <summary>Rows of x in a full tile of packed activations.</summary>
    public virtual int TileRows => 1;

    /// <summary>Rows of x in the lower tiles that cover a remainder.</summary>
    public virtual int TailTileRows => 1;

    /// <summary>From how many rows on the kernel wants activations packed by tiles.</summary>
    public virtual int MinTiledRows => int.MaxValue;

    /// <summary>Computes all rows of y for the panels from <paramref name="firstPanel"/> up to <paramref name="endPanel"/>.</summary>
    public abstract void Run(in KernelCall call, int firstPanel, int endPanel);

    /// <summary>How many rows of activations are packed.</summary>
    internal ActivationPacking Packing => field ??= CreatePacking();

    /// <inheritdoc/>
    public override string ToString() => Name;

    private protected virtual ActivationPacking CreatePacking() => new FloatTiles(this);
}
