using ILGPU;

namespace Q4Gen.Gpu.Kernels;

/// <summary>
/// The kernel for shapes that nobody annotated, groups that are no multiple of 8, and memory that is not aligned: one
/// warp for a panel of 16 outputs and one row of x. Right for everything, and fast for nothing.
/// </summary>
internal static class GenericSimtKernel
{
    public const int RowsPerGroup = 1;

    /// <summary>Lane = half · 16 + output; the halves of a warp take turns at the steps.</summary>
    public static void Gemv<TX, TY>(
        ArrayView<int> words,
        ArrayView<ILGPU.Half> scales,
        ArrayView<float> bias,
        ArrayView<TX> x,
        ArrayView<TY> y,
        int rows,
        SimtShape shape)
        where TX : unmanaged, IActivation<TX>
        where TY : unmanaged, IActivation<TY>
    {
        int panel = Grid.IdxX;
        int row = Grid.IdxY;
        int output = Warp.LaneIdx & 15;
        float sum = 0;
        for (int step = Warp.LaneIdx >> 4; step < shape.Steps; step += 2)
        {
            int word = words[(panel * shape.Steps + step) * 16 + output];
            int end = IntrinsicMath.Min(shape.In - step * 8, 8);
            for (int i = 0; i < end; i++)
            {
                int column = step * 8 + i;
                float scale = scales[(panel * shape.Groups + column / shape.Group) * 16 + output];
                sum += scale * SplitNibbles.Weight(word, SplitNibbles.Shift(i)) * x[(long)row * shape.In + column].ToSingle();
            }
        }

        sum += Warp.ShuffleXor(sum, 16);
        int o = panel * 16 + output;
        if (Warp.LaneIdx < 16 && o < shape.Out)
        {
            TY result = default;
            result.Set(sum + bias[o]);
            y[(long)row * shape.Out + o] = result;
        }
    }
}

/// <summary>A layer's shape as a kernel takes it.</summary>
internal readonly struct SimtShape(Linear4BitShape shape)
{
    public readonly int In = shape.In;
    public readonly int Out = shape.Out;
    public readonly int Group = shape.Group;
    public readonly int Steps = shape.Steps;
    public readonly int Groups = shape.Groups;
}
