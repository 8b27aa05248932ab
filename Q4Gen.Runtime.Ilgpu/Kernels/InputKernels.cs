using ILGPU;

namespace Q4Gen.Gpu.Kernels;

/// <summary>
/// What layers with an input order, with offsets, or with both need beside the kernel that multiplies, whichever it is: x in
/// the order of columns, the sums of its groups, and the offsets' part added. Plain C#, the same on every GPU.
/// </summary>
internal static class InputKernels
{
    public const int Threads = 256;

    private const int WarpThreads = 32;
    private const int PanelRows = 16;

    /// <summary>Rows of x in the order of columns: one thread group a row.</summary>
    /// <param name="x"><c>[rows, in]</c>.</param>
    /// <param name="order">The input feature of each column, <c>[in]</c>.</param>
    /// <param name="ordered"><c>[rows, in]</c>.</param>
    /// <param name="inFeatures">In.</param>
    public static void Gather<T>(ArrayView<T> x, ArrayView<int> order, ArrayView<T> ordered, int inFeatures)
        where T : unmanaged
    {
        long row = (long)Grid.IdxX * inFeatures;
        for (int column = Group.IdxX; column < inFeatures; column += Threads)
        {
            ordered[row + column] = x[row + order[column]];
        }
    }

    /// <summary>
    /// The sum of each group of x: one thread group a row, a warp for a group of columns at a time. In float64 and rounded
    /// once, for sums cancel; lanes are added in one order.
    /// </summary>
    /// <param name="x"><c>[rows, in]</c>, in the order of columns.</param>
    /// <param name="sums"><c>[rows, groups]</c>.</param>
    /// <param name="shape">The layer's shape.</param>
    public static void Sum<TX>(ArrayView<TX> x, ArrayView<float> sums, SimtShape shape)
        where TX : unmanaged, IActivation<TX>
    {
        int row = Grid.IdxX;
        ArrayView<TX> source = x.SubView((long)row * shape.In, shape.In);
        for (int group = Group.IdxX / WarpThreads; group < shape.Groups; group += Threads / WarpThreads)
        {
            // Of one group longer than a row there is no end beyond it; the product would not fit.
            int first = group * shape.Group;
            int end = shape.In - first < shape.Group ? shape.In : first + shape.Group;
            double sum = 0;
            for (int column = first + Warp.LaneIdx; column < end; column += WarpThreads)
            {
                sum += source[column].ToSingle();
            }

            for (int distance = WarpThreads / 2; distance > 0; distance >>= 1)
            {
                sum += Warp.ShuffleXor(sum, distance);
            }

            if (Warp.LaneIdx == 0)
            {
                sums[(long)row * shape.Groups + group] = (float)sum;
            }
        }
    }

    /// <summary>
    /// <c>y = results + Σ_g offset[o, g] · sum[g]</c>, one thread an output: in float32, so that y is rounded once where it is
    /// float16.
    /// </summary>
    /// <param name="results"><c>[rows, out]</c>, with the bias; may be y.</param>
    /// <param name="offsets">Offsets, <c>[panels][groups][16]</c>.</param>
    /// <param name="sums"><c>[rows, groups]</c>.</param>
    /// <param name="y"><c>[rows, out]</c>.</param>
    /// <param name="shape">The layer's shape.</param>
    public static void AddOffsets<TY>(ArrayView<float> results, ArrayView<ILGPU.Half> offsets, ArrayView<float> sums, ArrayView<TY> y, SimtShape shape)
        where TY : unmanaged, IActivation<TY>
    {
        long row = Grid.IdxX;
        for (int output = Grid.IdxY * Threads + Group.IdxX; output < shape.Out; output += Grid.DimY * Threads)
        {
            int panel = output / PanelRows, lane = output % PanelRows;
            float sum = results[row * shape.Out + output];
            for (int group = 0; group < shape.Groups; group++)
            {
                sum += (float)offsets[((long)panel * shape.Groups + group) * PanelRows + lane] * sums[row * shape.Groups + group];
            }

            TY value = default;
            value.Set(sum);
            y[row * shape.Out + output] = value;
        }
    }
}
