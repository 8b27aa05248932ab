using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Q4Gen.Format;

namespace Q4Gen.Kernels;

/// <summary>Any shape whose group is a multiple of 8, in AVX2: one or four rows of x against one panel at a time.</summary>
internal sealed class GenericAvx2Kernel(Linear4BitShape shape) : Linear4BitKernel(shape, KernelIsa.Avx2)
{
    private const int RowsAtOnce = 4;
    private const int PrefetchBytes = 2048;

    private readonly StepBlocks _blocks = new(shape);

    /// <inheritdoc/>
    public override string Name => "Linear4Bit_generic_avx2";

    /// <inheritdoc/>
    public override bool IsGenerated => false;

    /// <inheritdoc/>
    public override void Run(in KernelCall call, int firstPanel, int endPanel)
    {
        for (int panel = firstPanel; panel < endPanel; panel++)
        {
            int row = 0;
            for (; row <= call.Rows - RowsAtOnce; row += RowsAtOnce)
            {
                RunFourRows(call, panel, row);
            }

            for (; row < call.Rows; row++)
            {
                RunRow(call, panel, row);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void RunRow(in KernelCall call, int panel, int row)
    {
        ref int words = ref Unsafe.Add(ref call.Weights, (nint)panel * Shape.Steps * PanelLayout.StepWords);
        ref float x = ref Unsafe.Add(ref call.X, (nint)row * Shape.In);
        nint scales = (nint)panel * Shape.Groups * PanelLayout.PanelRows;
        int wholeSteps = Shape.In / PanelLayout.StepColumns;
        Vector256<float> totalA = default, totalB = default;
        for (int step = 0; step < Shape.Steps;)
        {
            int end = _blocks.EndOf(step);
            nint scale = scales + (nint)_blocks.GroupOf(step) * PanelLayout.PanelRows;
            Vector256<float> evenA = default, evenB = default, oddA = default, oddB = default;
            int whole = Math.Min(end, wholeSteps);
            for (; step < whole; step++)
            {
                Prefetch.Ahead(ref words, PrefetchBytes);
                Load(ref words, out Vector256<int> a, out Vector256<int> b);
                AddColumn(a, b, 28, Unsafe.Add(ref x, 0), ref evenA, ref evenB);
                AddColumn(a, b, 24, Unsafe.Add(ref x, 1), ref oddA, ref oddB);
                AddColumn(a, b, 20, Unsafe.Add(ref x, 2), ref evenA, ref evenB);
                AddColumn(a, b, 16, Unsafe.Add(ref x, 3), ref oddA, ref oddB);
                AddColumn(a, b, 12, Unsafe.Add(ref x, 4), ref evenA, ref evenB);
                AddColumn(a, b, 8, Unsafe.Add(ref x, 5), ref oddA, ref oddB);
                AddColumn(a, b, 4, Unsafe.Add(ref x, 6), ref evenA, ref evenB);
                AddColumn(a, b, 0, Unsafe.Add(ref x, 7), ref oddA, ref oddB);
                words = ref Unsafe.Add(ref words, PanelLayout.StepWords);
                x = ref Unsafe.Add(ref x, PanelLayout.StepColumns);
            }

            if (step < end)
            {
                Load(ref words, out Vector256<int> a, out Vector256<int> b);
                for (int column = 0; column < Shape.In % PanelLayout.StepColumns; column++)
                {
                    AddColumn(a, b, 28 - 4 * column, Unsafe.Add(ref x, column), ref evenA, ref evenB);
                }

                step++;
            }

            totalA = Fma.MultiplyAdd(evenA + oddA, PanelScales.Load256(ref call.Scales, scale, PanelScales.TopNibble), totalA);
            totalB = Fma.MultiplyAdd(evenB + oddB, PanelScales.Load256(ref call.Scales, scale + 8, PanelScales.TopNibble), totalB);
        }

        Store(call, panel, row, totalA, totalB);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void RunFourRows(in KernelCall call, int panel, int row)
    {
        ref int words = ref Unsafe.Add(ref call.Weights, (nint)panel * Shape.Steps * PanelLayout.StepWords);
        ref float x0 = ref Unsafe.Add(ref call.X, (nint)row * Shape.In);
        ref float x1 = ref Unsafe.Add(ref x0, Shape.In);
        ref float x2 = ref Unsafe.Add(ref x1, Shape.In);
        ref float x3 = ref Unsafe.Add(ref x2, Shape.In);
        nint scales = (nint)panel * Shape.Groups * PanelLayout.PanelRows;
        Vector256<float> total0A = default, total0B = default, total1A = default, total1B = default;
        Vector256<float> total2A = default, total2B = default, total3A = default, total3B = default;
        for (int step = 0; step < Shape.Steps;)
        {
            int end = _blocks.EndOf(step);
            nint scale = scales + (nint)_blocks.GroupOf(step) * PanelLayout.PanelRows;
            Vector256<float> sum0A = default, sum0B = default, sum1A = default, sum1B = default;
            Vector256<float> sum2A = default, sum2B = default, sum3A = default, sum3B = default;
            for (; step < end; step++)
            {
                Load(ref words, out Vector256<int> a, out Vector256<int> b);
                int firstColumn = step * PanelLayout.StepColumns;
                int endColumn = Math.Min(firstColumn + PanelLayout.StepColumns, Shape.In);
                for (int column = firstColumn; column < endColumn; column++)
                {
                    Vector256<float> columnA = Column(a, 28);
                    Vector256<float> columnB = Column(b, 28);
                    Vector256<float> value = Vector256.Create(Unsafe.Add(ref x0, column));
                    sum0A = Fma.MultiplyAdd(columnA, value, sum0A);
                    sum0B = Fma.MultiplyAdd(columnB, value, sum0B);
                    value = Vector256.Create(Unsafe.Add(ref x1, column));
                    sum1A = Fma.MultiplyAdd(columnA, value, sum1A);
                    sum1B = Fma.MultiplyAdd(columnB, value, sum1B);
                    value = Vector256.Create(Unsafe.Add(ref x2, column));
                    sum2A = Fma.MultiplyAdd(columnA, value, sum2A);
                    sum2B = Fma.MultiplyAdd(columnB, value, sum2B);
                    value = Vector256.Create(Unsafe.Add(ref x3, column));
                    sum3A = Fma.MultiplyAdd(columnA, value, sum3A);
                    sum3B = Fma.MultiplyAdd(columnB, value, sum3B);
                    a >>= 4;
                    b >>= 4;
                }

                words = ref Unsafe.Add(ref words, PanelLayout.StepWords);
            }

            Vector256<float> scaleA = PanelScales.Load256(ref call.Scales, scale, PanelScales.TopNibble);
            Vector256<float> scaleB = PanelScales.Load256(ref call.Scales, scale + 8, PanelScales.TopNibble);
            total0A = Fma.MultiplyAdd(sum0A, scaleA, total0A);
            total0B = Fma.MultiplyAdd(sum0B, scaleB, total0B);
            total1A = Fma.MultiplyAdd(sum1A, scaleA, total1A);
            total1B = Fma.MultiplyAdd(sum1B, scaleB, total1B);
            total2A = Fma.MultiplyAdd(sum2A, scaleA, total2A);
            total2B = Fma.MultiplyAdd(sum2B, scaleB, total2B);
            total3A = Fma.MultiplyAdd(sum3A, scaleA, total3A);
            total3B = Fma.MultiplyAdd(sum3B, scaleB, total3B);
        }

        Store(call, panel, row, total0A, total0B);
        Store(call, panel, row + 1, total1A, total1B);
        Store(call, panel, row + 2, total2A, total2B);
        Store(call, panel, row + 3, total3A, total3B);
    }

    /// <summary>Loads a step and flips the top bit of each nibble, which turns nibble − 8 into two's complement.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Load(ref int words, out Vector256<int> a, out Vector256<int> b)
    {
        Vector256<int> flip = Vector256.Create(unchecked((int)PanelLayout.ZeroWord));
        a = Vector256.LoadUnsafe(ref words) ^ flip;
        b = Vector256.LoadUnsafe(ref words, 8) ^ flip;
    }

    /// <summary>One column of eight rows, as (nibble − 8) · 2²⁸.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Column(Vector256<int> words, int shift) =>
        Vector256.ConvertToSingle((words << shift) & Vector256.Create(unchecked((int)0xF0000000)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddColumn(
        Vector256<int> a, Vector256<int> b, int shift, float x, ref Vector256<float> sumA, ref Vector256<float> sumB)
    {
        Vector256<float> value = Vector256.Create(x);
        sumA = Fma.MultiplyAdd(Column(a, shift), value, sumA);
        sumB = Fma.MultiplyAdd(Column(b, shift), value, sumB);
    }

    private void Store(in KernelCall call, int panel, int row, Vector256<float> totalA, Vector256<float> totalB)
    {
        int output = panel * PanelLayout.PanelRows;
        PanelStore.Add(
            ref Unsafe.Add(ref call.Bias, output),
            ref Unsafe.Add(ref call.Y, (nint)row * Shape.Out + output),
            Math.Min(PanelLayout.PanelRows, Shape.Out - output),
            totalA, totalB);
    }
}
