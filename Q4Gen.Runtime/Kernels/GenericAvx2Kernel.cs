using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Q4Gen.Format;

namespace Q4Gen.Kernels;

/// <summary>
/// Any shape whose group is a multiple of 8, in AVX2: one row of x, in fixed point, against one panel at a time. What
/// generated kernels do, with the shape in variables; see <see cref="FixedPointActivations"/>.
/// </summary>
internal sealed class GenericAvx2Kernel(Linear4BitShape shape) : Linear4BitKernel(shape, KernelIsa.Avx2)
{
    private const int PrefetchBytes = 2048;

    /// <summary>So many steps put 16 products of at most 15 · 128 into a lane: 30,720 fit 16 bits.</summary>
    private const int ChainSteps = 4;

    /// <summary>Rows that are prepared and multiplied at a time: few enough for the second-level cache.</summary>
    private const int RowsAtOnce = 32;

    private readonly StepBlocks _blocks = new(shape);

    /// <inheritdoc/>
    public override string Name => "Linear4Bit_generic_avx2";

    /// <inheritdoc/>
    public override bool IsGenerated => false;

    /// <inheritdoc/>
    public override void Run(in KernelCall call, int firstPanel, int endPanel)
    {
        for (int first = 0; first < call.Rows; first += RowsAtOnce)
        {
            KernelCall slice = call.Slice(first, Math.Min(RowsAtOnce, call.Rows - first), Shape);
            FixedPointRows rows = FixedPointActivations.Prepare(slice, Shape, PanelLayout.MaxBlockSteps, firstRow: 0);
            for (int panel = firstPanel; panel < endPanel; panel++)
            {
                for (int row = 0; row < slice.Rows; row++)
                {
                    RunRow(slice, ref rows[row], row, panel);
                }
            }

            rows.AddOutliers(slice, firstPanel, endPanel);
        }
    }

    [MethodImpl(Compile.Once)]
    private void RunRow(in KernelCall call, ref int x, int row, int panel)
    {
        ref int words = ref Unsafe.Add(ref call.Weights, (nint)panel * Shape.Steps * PanelLayout.StepWords);
        nint scales = (nint)panel * Shape.Groups * PanelLayout.PanelRows;
        Vector256<float> totalA = default, totalB = default;
        for (int step = 0; step < Shape.Steps;)
        {
            int end = _blocks.EndOf(step);
            nint scale = scales + (nint)_blocks.GroupOf(step) * PanelLayout.PanelRows;
            var unit = Vector256.Create(BitConverter.Int32BitsToSingle(x));
            var lowsA = Vector256.Create(Unsafe.Add(ref x, 1));
            var highsA = Vector256.Create(Unsafe.Add(ref x, 2));
            Vector256<int> lowsB = lowsA, highsB = highsA;
            x = ref Unsafe.Add(ref x, FixedPointActivations.HeaderWords);
            while (step < end)
            {
                int endOfChain = Math.Min(step + ChainSteps, end);
                Vector256<short> lowA = default, middleA = default, highA = default;
                Vector256<short> lowB = default, middleB = default, highB = default;
                for (; step < endOfChain; step++)
                {
                    Prefetch.Ahead(ref words, PrefetchBytes);
                    var wordsA = Vector256.LoadUnsafe(ref words);
                    var wordsB = Vector256.LoadUnsafe(ref words, 8);
                    Add(wordsA.AsByte(), wordsB.AsByte(), ref x, ref lowA, ref middleA, ref highA, ref lowB, ref middleB, ref highB);
                    Add((wordsA >>> 4).AsByte(), (wordsB >>> 4).AsByte(), ref Unsafe.Add(ref x, 1), ref lowA, ref middleA, ref highA, ref lowB, ref middleB, ref highB);
                    words = ref Unsafe.Add(ref words, PanelLayout.StepWords);
                    x = ref Unsafe.Add(ref x, FixedPointActivations.StepWords);
                }

                lowsA += Widen(lowA, 1) + Widen(middleA, 256);
                lowsB += Widen(lowB, 1) + Widen(middleB, 256);
                highsA += Widen(highA, 1);
                highsB += Widen(highB, 1);
            }

            totalA = Fma.MultiplyAdd(Combine(lowsA, highsA) * unit, PanelScales.Load256(ref call.Scales, scale, PanelScales.Exact), totalA);
            totalB = Fma.MultiplyAdd(Combine(lowsB, highsB) * unit, PanelScales.Load256(ref call.Scales, scale + 8, PanelScales.Exact), totalB);
        }

        int output = panel * PanelLayout.PanelRows;
        PanelStore.Add(
            ref Unsafe.Add(ref call.Bias, output),
            ref Unsafe.Add(ref call.Y, (nint)row * Shape.Out + output),
            Math.Min(PanelLayout.PanelRows, Shape.Out - output),
            totalA, totalB);
    }

    /// <summary>Adds the products of the lower nibbles of all bytes with the three digits at <paramref name="x"/>, two words from one to the next.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(
        Vector256<byte> a, Vector256<byte> b, ref int x,
        ref Vector256<short> lowA, ref Vector256<short> middleA, ref Vector256<short> highA,
        ref Vector256<short> lowB, ref Vector256<short> middleB, ref Vector256<short> highB)
    {
        a &= Vector256.Create((byte)0x0F);
        b &= Vector256.Create((byte)0x0F);
        var digit = Vector256.Create(x).AsSByte();
        lowA += Avx2.MultiplyAddAdjacent(a, digit);
        lowB += Avx2.MultiplyAddAdjacent(b, digit);
        digit = Vector256.Create(Unsafe.Add(ref x, 2)).AsSByte();
        middleA += Avx2.MultiplyAddAdjacent(a, digit);
        middleB += Avx2.MultiplyAddAdjacent(b, digit);
        digit = Vector256.Create(Unsafe.Add(ref x, 4)).AsSByte();
        highA += Avx2.MultiplyAddAdjacent(a, digit);
        highB += Avx2.MultiplyAddAdjacent(b, digit);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Widen(Vector256<short> sum, short unit) => Avx2.MultiplyAddAdjacent(sum, Vector256.Create(unit));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Combine(Vector256<int> lows, Vector256<int> highs) =>
        Fma.MultiplyAdd(Vector256.ConvertToSingle(highs), Vector256.Create(65536f), Vector256.ConvertToSingle(lows));
}
