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

    internal KernelCall(float* x, float* y, int rows, int* weights, short* scales, float* bias)
    {
        _x = x;
        _y = y;
        Rows = rows;
        _weights = weights;
        _scales = scales;
        _bias = bias;
    }

    private KernelCall(in KernelCall call, void* tiles, TileCounts counts)
        : this((float*)tiles, call._y, call.Rows, call._weights, call._scales, call._bias)
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

    /// <summary>
    /// This thread's scratch memory, 64-byte aligned and kept for its lifetime: at least <paramref name="floats"/> elements.
    /// </summary>
    public static ref float Scratch(int floats) => ref Threading.ThreadScratch.Rent(floats);

    /// <summary>The same call on some of its rows.</summary>
    internal KernelCall Slice(int firstRow, int rows, Linear4BitShape shape) =>
        new(_x + (nint)firstRow * shape.In, _y + (nint)firstRow * shape.Out, rows, _weights, _scales, _bias);

    /// <summary>The same call with its rows packed by tiles at <paramref name="tiles"/>.</summary>
    internal KernelCall Tiled(void* tiles, TileCounts counts) => new(this, tiles, counts);
}
