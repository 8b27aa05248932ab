using System.Runtime.CompilerServices;
using Q4Gen.Format;

namespace Q4Gen.Kernels;

/// <summary>The specification, for any shape: plain loops, sums in float64.</summary>
internal sealed class GenericScalarKernel(Linear4BitShape shape) : Linear4BitKernel(shape, KernelIsa.Scalar)
{
    /// <inheritdoc/>
    public override string Name => "Linear4Bit_generic_scalar";

    /// <inheritdoc/>
    public override bool IsGenerated => false;

    /// <inheritdoc/>
    public override void Run(in KernelCall call, int firstPanel, int endPanel)
    {
        int rowEnd = Math.Min(endPanel * PanelLayout.PanelRows, Shape.Out);
        for (int output = firstPanel * PanelLayout.PanelRows; output < rowEnd; output++)
        {
            (int panel, int lane) = Math.DivRem(output, PanelLayout.PanelRows);
            ref int words = ref Unsafe.Add(ref call.Weights, (nint)panel * Shape.Steps * PanelLayout.StepWords + lane);
            nint scales = (nint)panel * Shape.Groups * PanelLayout.PanelRows + lane;
            for (int row = 0; row < call.Rows; row++)
            {
                ref float x = ref Unsafe.Add(ref call.X, (nint)row * Shape.In);
                double sum = Unsafe.Add(ref call.Bias, output);
                for (int group = 0; group < Shape.Groups; group++)
                {
                    int end = (int)Math.Min(((long)group + 1) * Shape.Group, Shape.In);
                    double partial = 0;
                    for (int column = group * Shape.Group; column < end; column++)
                    {
                        (int step, int nibble) = Math.DivRem(column, PanelLayout.StepColumns);
                        int word = Unsafe.Add(ref words, (nint)step * PanelLayout.StepWords);
                        partial += (((word >> (4 * nibble)) & 0xF) - PanelLayout.NibbleBias) * (double)Unsafe.Add(ref x, column);
                    }

                    sum += PanelScales.Load(ref call.Scales, scales + (nint)group * PanelLayout.PanelRows) * partial;
                }

                Unsafe.Add(ref call.Y, (nint)row * Shape.Out + output) = (float)sum;
            }
        }
    }
}
