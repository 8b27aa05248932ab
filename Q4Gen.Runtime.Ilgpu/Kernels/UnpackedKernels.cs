using ILGPU;

namespace Q4Gen.Gpu.Kernels;

/// <summary>The layer the plain way, on a GPU: dequantise W, then multiply with products summed in float64.</summary>
internal static class UnpackedKernels
{
    public const int Threads = 128;

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
    /// <param name="matrix"><c>[out, in]</c>.</param>
    /// <param name="bias">Bias, padded to whole panels.</param>
    /// <param name="x"><c>[rows, in]</c>.</param>
    /// <param name="y"><c>[rows, out]</c>.</param>
    /// <param name="shape">The layer's shape.</param>
    public static void Multiply<TX, TY>(ArrayView<float> matrix, ArrayView<float> bias, ArrayView<TX> x, ArrayView<TY> y, SimtShape shape)
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
            sum += (double)matrix[(long)output * shape.In + column] * x[(long)row * shape.In + column].ToSingle();
        }

        TY result = default;
        result.Set((float)sum);
        y[(long)row * shape.Out + output] = result;
    }
}
