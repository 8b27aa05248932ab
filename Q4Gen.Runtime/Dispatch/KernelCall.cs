using System.ComponentModel;

namespace Q4Gen.Kernels;

/// <summary>
/// Everything one call of a kernel works on, as references into pinned or native memory. Weights, scales and bias are
/// in panel layout R16K8 and padded to whole panels, so a kernel reads them without a tail; x and y are exact.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public readonly unsafe struct KernelCall
{
    private readonly float* _x;
    private readonly float* _y;
    private readonly int* _weights;
    private readonly short* _scales;
    private readonly float* _bias;
    private readonly short* _offsets;
    private readonly float* _sums;
    private readonly int* _order;

    internal KernelCall(
        float* x, float* y, int rows, int* weights, short* scales, float* bias, short* offsets = null, float* sums = null, int* order = null)
    {
        _x = x;
        _y = y;
        Rows = rows;
        _weights = weights;
        _scales = scales;
        _bias = bias;
        _offsets = offsets;
        _sums = sums;
        _order = order;
    }

    private KernelCall(in KernelCall call, void* tiles, TileCounts counts)
        : this((float*)tiles, call._y, call.Rows, call._weights, call._scales, call._bias, call._offsets, call._sums)
    {
        IsTiled = true;
        FullTiles = counts.Full;
        TailTiles = counts.Tail;
    }

    /// <summary>Rows of x and y in this call.</summary>
    public int Rows { get; }

    /// <summary>
    /// Whether <see cref="X"/> is packed by tiles, <c>[tile][column][row of the tile]</c> with missing rows zero,
    /// rather than row-major <c>[row][column]</c>; for 8-bit activations, whether <see cref="Tiles"/> is there.
    /// </summary>
    public bool IsTiled { get; }

    /// <summary>Tiles of the kernel's full <see cref="Linear4BitKernel.TileRows"/>.</summary>
    public int FullTiles { get; }

    /// <summary>Tiles of <see cref="Linear4BitKernel.TailTileRows"/>, which follow the full ones.</summary>
    public int TailTiles { get; }

    /// <summary>The first activation.</summary>
    public ref float X => ref *_x;

    /// <summary>The first word of packed 8-bit activations; see <see cref="Int8Activations"/>.</summary>
    public ref int Tiles => ref *(int*)_x;

    /// <summary>The first output; row-major <c>[row][out]</c>.</summary>
    public ref float Y => ref *_y;

    /// <summary>The first word of packed weights, <c>[panel][step][16]</c>.</summary>
    public ref int Weights => ref *_weights;

    /// <summary>The bits of the first F16 scale, <c>[panel][group][16]</c>.</summary>
    public ref short Scales => ref *_scales;

    /// <summary>The first bias, one an output, padded to whole panels; zeros where the layer has none.</summary>
    public ref float Bias => ref *_bias;

    /// <summary>Whether the weights are affine; <see cref="GroupOffsets"/> then adds to what kernels compute.</summary>
    internal bool IsAffine => _offsets != null;

    /// <summary>The bits of the first F16 offset, <c>[panel][group][16]</c>.</summary>
    internal ref short Offsets => ref *_offsets;

    /// <summary>The first sum of a group of x, <c>[row][group]</c>; not there before <see cref="WithSums"/>.</summary>
    internal ref float Sums => ref *_sums;

    /// <summary>Whether columns of the weights are in another order than those of <see cref="X"/>; not after <see cref="InOrder"/>.</summary>
    internal bool HasInputOrder => _order != null;

    /// <summary>The input feature of the first column.</summary>
    internal ref int Order => ref *_order;

    /// <summary>
    /// This thread's scratch memory, 64-byte aligned and kept for its lifetime: at least <paramref name="floats"/> elements.
    /// </summary>
    public static ref float Scratch(int floats) => ref Threading.ThreadScratch.Rent(floats);

    /// <summary>The same call on some of its rows.</summary>
    internal KernelCall Slice(int firstRow, int rows, Linear4BitShape shape) =>
        new(_x + (nint)firstRow * shape.In, _y + (nint)firstRow * shape.Out, rows, _weights, _scales, _bias, _offsets, null, _order);

    /// <summary>The same row-major call with the sums of its groups of x at <paramref name="sums"/>.</summary>
    internal KernelCall WithSums(float* sums) => new(_x, _y, Rows, _weights, _scales, _bias, _offsets, sums, _order);

    /// <summary>The same row-major call with its rows at <paramref name="x"/>, in the order of columns.</summary>
    internal KernelCall InOrder(float* x) => new(x, _y, Rows, _weights, _scales, _bias, _offsets, _sums);

    /// <summary>The same call with its rows packed by tiles at <paramref name="tiles"/>.</summary>
    internal KernelCall Tiled(void* tiles, TileCounts counts) => new(this, tiles, counts);
}
