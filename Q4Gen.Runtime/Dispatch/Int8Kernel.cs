using System.ComponentModel;
using Q4Gen.Threading;

namespace Q4Gen.Kernels;

/// <summary>
/// The kernels of one shape for one instruction set with 8-bit activations. All of them, the scalar one included, give
/// the same bits: products are summed in integers, and the sums of blocks are added up in one order.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public abstract class Int8Kernel : Linear4BitKernel
{
    /// <summary>Creates the kernels of <paramref name="shape"/> for <paramref name="isa"/>.</summary>
    protected Int8Kernel(Linear4BitShape shape, KernelIsa isa)
        : base(shape, isa) => Blocks = new ActivationBlocks(shape);

    /// <inheritdoc/>
    public sealed override Linear4BitPrecision Precision => Linear4BitPrecision.Int8Activations;

    /// <summary>The most rows that are computed together; a call's rows are cut into tiles by <see cref="RowTiles"/>.</summary>
    public virtual int MaxTileRows => 1;

    /// <summary>The blocks of columns that share a scale of x.</summary>
    internal ActivationBlocks Blocks { get; }

    private protected override ActivationPacking CreatePacking() => new Int8Tiles(this);
}
