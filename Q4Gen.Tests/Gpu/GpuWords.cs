using Q4Gen.Tests.Kernels;

namespace Q4Gen.Tests.Gpu;

/// <summary>
/// A layer as a GPU has it, written down from the description of the layout and not with the code that packs: panels of
/// 16 outputs, steps of 8 columns, in each word the even columns in the low half and the odd ones in the high half.
/// </summary>
internal sealed record GpuWords(int[] Words, Half[] Scales, float[] Bias)
{
    public static GpuWords Of(LayerData data)
    {
        Linear4BitShape shape = data.Shape;
        int panels = (shape.Out + 15) / 16, steps = (shape.In + 7) / 8;
        var words = new int[panels * steps * 16];
        Array.Fill(words, unchecked((int)0x88888888));
        var scales = new Half[panels * shape.Groups * 16];
        var bias = new float[panels * 16];
        data.Bias.CopyTo(bias, 0);
        for (int output = 0; output < shape.Out; output++)
        {
            double[] weights = data.UnpackNibbles(output);
            for (int column = 0; column < shape.In; column++)
            {
                int shift = column % 8 / 2 * 4 + column % 2 * 16;
                ref int word = ref words[(output / 16 * steps + column / 8) * 16 + output % 16];
                word = (word & ~(0xF << shift)) | (((int)weights[column] + 8) << shift);
            }

            for (int group = 0; group < shape.Groups; group++)
            {
                scales[(output / 16 * shape.Groups + group) * 16 + output % 16] = data.Scales[output * shape.Groups + group];
            }
        }

        return new GpuWords(words, scales, bias);
    }
}
