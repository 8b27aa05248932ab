using Q4Gen.Format;
using Q4Gen.Generator.Model;

namespace Q4Gen.Generator.Planning;

/// <summary>Everything that emitters of GPU kernels may branch on for one shape.</summary>
/// <param name="Layer">What follows from the shape on any processor; its precision is exact.</param>
/// <param name="Tiles">The kernels for tensor cores that take x through shared memory, those for the fewest rows first; empty where tensor cores cannot run the shape.</param>
/// <param name="PtxTargets">What the kernels are compiled to PTX for, ascending; empty where they are C# that ILGPU compiles when the program runs.</param>
internal sealed record GpuPlan(KernelPlan Layer, EquatableArray<TensorTilePlan> Tiles, EquatableArray<int> PtxTargets)
{
    /// <summary>Steps that a fragment pair covers: 32 columns, of which each of four threads holds one step.</summary>
    public const int ChunkSteps = 4;

    /// <summary>Rows of x in a fragment.</summary>
    public const int FragmentRows = 8;

    /// <summary>Panels whose quads of outputs fill the fragments of one warp.</summary>
    public const int PairPanels = 2;

    /// <summary>Outputs in a pair of panels.</summary>
    public const int PairOutputs = PairPanels * PanelLayout.PanelRows;

    /// <summary>Warps of the decoding kernel, over which the columns are dealt.</summary>
    public const int DecodeWarps = 8;

    /// <summary>The most rows that the decoding kernel takes.</summary>
    public const int DecodeRows = FragmentRows;

    /// <summary>The shape.</summary>
    public LayerShape Shape => Layer.Shape;

    /// <summary>Whether the kernels are PTX, for a program without ILGPU.</summary>
    public bool IsPtx => PtxTargets.Count > 0;

    /// <summary>Whether there are kernels for tensor cores.</summary>
    public bool HasTensorKernels => Tiles.Count > 0;

    /// <summary>Chunks of a row, the last one perhaps partly filled.</summary>
    public int Chunks => Ceiling(Layer.Steps, ChunkSteps);

    /// <summary>Columns of x as tensor cores take it: whole steps.</summary>
    public int PaddedColumns => Layer.Steps * PanelLayout.StepColumns;

    /// <summary>Chunks in a row that share a scale; 1 where they do not come in fours, or in twos.</summary>
    public int RunChunks(int most)
    {
        for (int chunks = most; chunks > 1; chunks /= 2)
        {
            if (Layer.Groups == 1 || Layer.GroupSteps % (chunks * ChunkSteps) == 0)
            {
                return chunks;
            }
        }

        return 1;
    }

    /// <summary>Division that rounds up.</summary>
    public static int Ceiling(int value, int divisor) => (value + divisor - 1) / divisor;
}

/// <summary>A kernel for tensor cores whose warps share a tile of x.</summary>
/// <param name="Role">Its role, as its name carries it.</param>
/// <param name="MaxRows">It is for up to so many rows of x.</param>
/// <param name="OutputWarps">Warps side by side over outputs.</param>
/// <param name="RowWarps">Warps side by side over rows of x.</param>
/// <param name="ColumnWarps">Warps that share the columns of the same results, which are added at the end.</param>
/// <param name="Pairs">Pairs of panels that a warp takes.</param>
/// <param name="Fragments">Fragments of eight rows of x that a warp takes.</param>
/// <param name="Stages">Tiles of x in flight.</param>
/// <param name="MinGroups">Groups that a multiprocessor is to hold at once.</param>
internal sealed record TensorTilePlan(
    string Role, int MaxRows, int OutputWarps, int RowWarps, int ColumnWarps, int Pairs, int Fragments, int Stages, int MinGroups)
{
    /// <summary>Chunks that a warp takes from a tile.</summary>
    public const int WarpChunks = 2;

    /// <summary>Columns that a warp takes from a tile.</summary>
    public const int WarpColumns = WarpChunks * GpuPlan.ChunkSteps * PanelLayout.StepColumns;

    public int Threads => 32 * OutputWarps * RowWarps * ColumnWarps;

    public int Outputs => OutputWarps * Pairs * GpuPlan.PairOutputs;

    public int Rows => RowWarps * Fragments * GpuPlan.FragmentRows;

    /// <summary>Columns of a tile.</summary>
    public int Columns => ColumnWarps * WarpColumns;

    /// <summary>Bytes of a row of a tile, in float16.</summary>
    public int RowBytes => Columns * 2;

    /// <summary>Bytes of a tile.</summary>
    public int TileBytes => Rows * RowBytes;

    /// <summary>Copies of 16 bytes that each thread makes for a tile.</summary>
    public int CopiesPerThread => TileBytes / 16 / Threads;
}

/// <summary>What is asked for of one shape on GPUs.</summary>
/// <param name="Shape">The shape; its precision is exact.</param>
/// <param name="PtxTargets">As in <see cref="GpuPlan"/>.</param>
internal sealed record GpuRequest(LayerShape Shape, EquatableArray<int> PtxTargets);

/// <summary>Decides how the GPU kernels of a shape are built.</summary>
internal static class GpuPlanner
{
    /// <summary>
    /// Up to 64 rows weights are most of what is read: 64 outputs a group, so that there are enough groups, and four
    /// warps share the columns, so that enough loads are in flight. x comes 32 rows at a time.
    /// </summary>
    private static readonly TensorTilePlan s_batch = new(
        "Batch", MaxRows: 64, OutputWarps: 2, RowWarps: 1, ColumnWarps: 4, Pairs: 1, Fragments: 4, Stages: 3, MinGroups: 2);

    /// <summary>
    /// Many rows: 128 outputs × 128 rows a group, 64 × 32 a warp, the most whose sums of a group and of all groups fit
    /// the registers of a thread.
    /// </summary>
    private static readonly TensorTilePlan s_prefill = new(
        "Prefill", MaxRows: int.MaxValue, OutputWarps: 2, RowWarps: 4, ColumnWarps: 1, Pairs: 2, Fragments: 4, Stages: 3, MinGroups: 1);

    /// <summary>Whether a shape gets kernels of its own; others run on the runtime's generic one.</summary>
    public static bool HasKernels(LayerShape shape) => KernelPlanner.HasVectorKernels(shape);

    /// <summary>Plans the kernels of a shape that <see cref="HasKernels"/>.</summary>
    public static GpuPlan Plan(GpuRequest request)
    {
        KernelPlan layer = KernelPlanner.Plan(request.Shape with { Precision = LayerPrecision.Exact });
        bool areGroupsChunks = layer.Groups == 1 || layer.GroupSteps % GpuPlan.ChunkSteps == 0;
        TensorTilePlan[] tiles = areGroupsChunks ? [s_batch, s_prefill] : [];
        return new GpuPlan(layer, tiles.ToEquatableArray(), request.PtxTargets);
    }
}
