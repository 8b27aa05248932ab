using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Q4Gen.Format;

namespace Q4Gen.Kernels;

/// <summary>Any shape whose group is a multiple of 8, in portable 128-bit vectors: one row of x against one panel at a time.</summary>
internal sealed class GenericVector128Kernel(Linear4BitShape shape) : Linear4BitKernel(shape, KernelIsa.Vector128)
{
    private const int Lanes = 4;

    private readonly StepBlocks _blocks = new(shape);

    /// <inheritdoc/>
    public override string Name => "Linear4Bit_generic_vector128";

    /// <inheritdoc/>
    public override bool IsGenerated => false;

    /// <inheritdoc/>
    public override void Run(in KernelCall call, int firstPanel, int endPanel)
    {
        for (int panel = firstPanel; panel < endPanel; panel++)
        {
            for (int row = 0; row < call.Rows; row++)
            {
                RunRow(call, panel, row);
            }
        }
    }

    private void RunRow(in KernelCall call, int panel, int row)
    {
        ref int words = ref Unsafe.Add(ref call.Weights, (nint)panel * Shape.Steps * PanelLayout.StepWords);
        ref float x = ref Unsafe.Add(ref call.X, (nint)row * Shape.In);
        nint scales = (nint)panel * Shape.Groups * PanelLayout.PanelRows;
        Vector128<float> totalA = default, totalB = default, totalC = default, totalD = default;
        for (int step = 0; step < Shape.Steps;)
        {
            int end = _blocks.EndOf(step);
            nint scale = scales + (nint)_blocks.GroupOf(step) * PanelLayout.PanelRows;
            Vector128<float> sumA = default, sumB = default, sumC = default, sumD = default;
            for (; step < end; step++)
            {
                int columns = Math.Min(PanelLayout.StepColumns, Shape.In - step * PanelLayout.StepColumns);
                for (int column = 0; column < columns; column++)
                {
                    int shift = 28 - 4 * column;
                    Vector128<float> value = Vector128.Create(Unsafe.Add(ref x, step * PanelLayout.StepColumns + column));
                    sumA = Vector128.MultiplyAddEstimate(Column(ref words, step, 0, shift), value, sumA);
                    sumB = Vector128.MultiplyAddEstimate(Column(ref words, step, 1, shift), value, sumB);
                    sumC = Vector128.MultiplyAddEstimate(Column(ref words, step, 2, shift), value, sumC);
                    sumD = Vector128.MultiplyAddEstimate(Column(ref words, step, 3, shift), value, sumD);
                }
            }

            totalA += sumA * PanelScales.Load128(ref call.Scales, scale, PanelScales.TopNibble);
            totalB += sumB * PanelScales.Load128(ref call.Scales, scale + Lanes, PanelScales.TopNibble);
            totalC += sumC * PanelScales.Load128(ref call.Scales, scale + 2 * Lanes, PanelScales.TopNibble);
            totalD += sumD * PanelScales.Load128(ref call.Scales, scale + 3 * Lanes, PanelScales.TopNibble);
        }

        int output = panel * PanelLayout.PanelRows;
        PanelStore.Add(
            ref Unsafe.Add(ref call.Bias, output),
            ref Unsafe.Add(ref call.Y, (nint)row * Shape.Out + output),
            Math.Min(PanelLayout.PanelRows, Shape.Out - output),
            totalA, totalB, totalC, totalD);
    }

    /// <summary>One column of four rows, as (nibble − 8) · 2²⁸: flipping the top bit turns the nibble into two's complement.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Column(ref int words, int step, int quarter, int shift)
    {
        Vector128<int> word = Vector128.LoadUnsafe(ref Unsafe.Add(ref words, (nint)step * PanelLayout.StepWords + quarter * Lanes));
        Vector128<int> top = (word << shift) & Vector128.Create(unchecked((int)0xF0000000));
        return Vector128.ConvertToSingle(top ^ Vector128.Create(int.MinValue));
    }
}
