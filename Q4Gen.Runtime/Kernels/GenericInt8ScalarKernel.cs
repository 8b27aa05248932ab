using System.Runtime.CompilerServices;
using Q4Gen.Format;

namespace Q4Gen.Kernels;

/// <summary>Any shape with 8-bit activations in plain C#: the specification, and what runs where no vector kernel can.</summary>
internal sealed class GenericInt8ScalarKernel(Linear4BitShape shape) : Int8Kernel(shape, KernelIsa.Scalar)
{
    /// <inheritdoc/>
    public override string Name => "Linear4Bit_generic_int8_scalar";

    /// <inheritdoc/>
    public override bool IsGenerated => false;

    /// <inheritdoc/>
    public override void Run(in KernelCall call, int firstPanel, int endPanel)
    {
        // The rounded row, one integer an element, and behind it the scale of each element's block.
        ref float rounded = ref KernelCall.Scratch(2 * Shape.In);
        ref float unit = ref Unsafe.Add(ref rounded, Shape.In);
        for (int row = 0; row < call.Rows; row++)
        {
            Round(ref Unsafe.Add(ref call.X, (nint)row * Shape.In), ref rounded, ref unit);
            int endOutput = Math.Min(endPanel * PanelLayout.PanelRows, Shape.Out);
            for (int output = firstPanel * PanelLayout.PanelRows; output < endOutput; output++)
            {
                float y = Unsafe.Add(ref call.Bias, output) + Sum(call, output, ref rounded, ref unit);
                Unsafe.Add(ref call.Y, (nint)row * Shape.Out + output) = y;
            }
        }
    }

    private void Round(ref float x, ref float rounded, ref float unit)
    {
        for (int column = 0; column < Shape.In;)
        {
            int end = Blocks.EndOf(column);
            float max = 0;
            for (int i = column; i < end; i++)
            {
                max = MathF.Max(max, MathF.Abs(Unsafe.Add(ref x, i)));
            }

            (float scale, float inverse) = max < Int8Activations.Smallest ? (0f, 0f) : (max / Int8Activations.Largest, Int8Activations.Largest / max);
            for (; column < end; column++)
            {
                Unsafe.Add(ref rounded, column) = MathF.Round(Unsafe.Add(ref x, column) * inverse);
                Unsafe.Add(ref unit, column) = scale;
            }
        }
    }

    private float Sum(in KernelCall call, int output, ref float rounded, ref float unit)
    {
        (int panel, int lane) = Math.DivRem(output, PanelLayout.PanelRows);
        ref int words = ref Unsafe.Add(ref call.Weights, (nint)panel * Shape.Steps * PanelLayout.StepWords + lane);
        nint scales = (nint)panel * Shape.Groups * PanelLayout.PanelRows + lane;
        float total = 0;
        for (int column = 0; column < Shape.In;)
        {
            float scale = PanelScales.Load(ref call.Scales, scales + (nint)(column / Shape.Group) * PanelLayout.PanelRows)
                * Unsafe.Add(ref unit, column);
            int end = Blocks.EndOf(column);
            int sum = 0;
            for (; column < end; column++)
            {
                (int step, int nibble) = Math.DivRem(column, PanelLayout.StepColumns);
                int word = Unsafe.Add(ref words, (nint)step * PanelLayout.StepWords);
                sum += (((word >> (4 * nibble)) & 0xF) - PanelLayout.NibbleBias) * (int)Unsafe.Add(ref rounded, column);
            }

            total = MathF.FusedMultiplyAdd(sum, scale, total);
        }

        return total;
    }
}
