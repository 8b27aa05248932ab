using ILGPU;

namespace Q4Gen.Gpu.Kernels;

/// <summary>The layer the plain way, on a GPU: dequantise W, then multiply with products summed in float64.</summary>
internal static class UnpackedKernels
{
    public const int Threads = 128;

    /// <summary>Thread groups side by side over outputs.</summary>
    public static int OutputGroups(int outFeatures) => (outFeatures + Threads - 1) / Threads;

    /// <summary>W as float32: one thread group an output.</summary>
    /// <param name="words">Weights in the order of <see cref="SplitNibbles"/>.</param>
    /// <param name="scales">Scales.</param>
    /// <param name="matrix"><c>[out, in]</c>.</param>
    /// <param name="shape">The layer's shape.</param>
    public static void Unpack(ArrayView<int> words, ArrayView<ILGPU.Half> scales, ArrayView<float> matrix, SimtShape shape)
    {
        int output = Grid.IdxX;
        int panel = output / 16;
        int lane = output % 16;
        for (int column = Group.IdxX; column < shape.In; column += Threads)
        {
            int word = words[(panel * shape.Steps + column / 8) * 16 + lane];
            float scale = scales[(panel * shape.Groups + column / shape.Group) * 16 + lane];
            matrix[(long)output * shape.In + column] = scale * SplitNibbles.Weight(word, SplitNibbles.Shift(column % 8));
        }
    }

    /// <summary>One thread an output, one row of groups a row of x.</summary>
    /// <param name="matrix"><c>[out, in]</c>, without offsets and in the order of columns.</param>
    /// <param name="offsets">Offsets, <c>[panels][groups][16]</c>; anything where there are none.</param>
    /// <param name="order">The input feature of each column, <c>[in]</c>; anything where there is none.</param>
    /// <param name="bias">Bias, padded to whole panels.</param>
    /// <param name="x"><c>[rows, in]</c>.</param>
    /// <param name="y"><c>[rows, out]</c>.</param>
    /// <param name="shape">The layer's shape.</param>
    /// <param name="isAffine">Not zero where there are offsets.</param>
    /// <param name="hasInputOrder">Not zero where there is an order.</param>
    public static void Multiply<TX, TY>(
        ArrayView<float> matrix,
        ArrayView<ILGPU.Half> offsets,
        ArrayView<int> order,
        ArrayView<float> bias,
        ArrayView<TX> x,
        ArrayView<TY> y,
        SimtShape shape,
        int isAffine,
        int hasInputOrder)
        where TX : unmanaged, IActivation<TX>
        where TY : unmanaged, IActivation<TY>
    {
        int row = Grid.IdxX;
        int output = Grid.IdxY * Threads + Group.IdxX;
        if (output >= shape.Out)
        {
            return;
        }

        double sum = bias[output];
        for (int column = 0; column < shape.In; column++)
        {
            double weight = matrix[(long)output * shape.In + column];
            if (isAffine != 0)
            {
                weight += (float)offsets[((long)(output / 16) * shape.Groups + column / shape.Group) * 16 + output % 16];
            }

            int input = hasInputOrder != 0 ? order[column] : column;
            sum += weight * x[(long)row * shape.In + input].ToSingle();
        }

        TY result = default;
        result.Set((float)sum);
        y[(long)row * shape.Out + output] = result;
    }
}
