using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Q4Gen.Format;

namespace Q4Gen.Kernels;

/// <summary>Any shape whose group is a multiple of 8, with 8-bit activations in AVX2: one or four rows of x against one panel at a time.</summary>
internal sealed class GenericInt8Avx2Kernel(Linear4BitShape shape) : Int8Kernel(shape, KernelIsa.Avx2)
{
    private const int RowsAtOnce = 4;
    private const int PrefetchBytes = 2048;

    /// <inheritdoc/>
    public override string Name => "Linear4Bit_generic_int8_avx2";

    /// <inheritdoc/>
    public override bool IsGenerated => false;

    /// <inheritdoc/>
    public override int MaxTileRows => RowsAtOnce;

    /// <inheritdoc/>
    public override int MinTiledRows => 2;

    /// <inheritdoc/>
    public override void Run(in KernelCall call, int firstPanel, int endPanel)
    {
        ref int tiles = ref Int8Activations.Tiles(call, this);
        var rows = new RowTiles(call.Rows, MaxTileRows);
        for (int panel = firstPanel; panel < endPanel; panel++)
        {
            for (int tile = 0, row = 0; tile < rows.Count; tile++)
            {
                int height = rows.HeightOf(tile);
                ref int x = ref Unsafe.Add(ref tiles, (nint)row * Blocks.RowWords);
                if (height == RowsAtOnce)
                {
                    RunFourRows(call, ref x, row, panel);
                }
                else
                {
                    for (int i = 0; i < height; i++)
                    {
                        RunRow(call, ref x, height, i, row + i, panel);
                    }
                }

                row += height;
            }
        }
    }

    /// <summary>Row <paramref name="index"/> of a tile of <paramref name="height"/> rows.</summary>
    [MethodImpl(Compile.Once)]
    private void RunRow(in KernelCall call, ref int block, int height, int index, int row, int panel)
    {
        ref int words = ref Unsafe.Add(ref call.Weights, (nint)panel * Shape.Steps * PanelLayout.StepWords);
        nint scales = (nint)panel * Shape.Groups * PanelLayout.PanelRows;
        Vector256<float> totalA = default, totalB = default;
        for (int column = 0; column < Shape.In;)
        {
            nint scale = scales + (nint)(column / Shape.Group) * PanelLayout.PanelRows;
            int unit = Unsafe.Add(ref block, index);
            Vector256<int> sumA = Vector256.Create(Unsafe.Add(ref block, height + index));
            Vector256<int> sumB = sumA;
            block = ref Unsafe.Add(ref block, Int8Activations.HeaderWords * height);
            int end = Blocks.EndOf(column);
            for (; column < end; column += PanelLayout.StepColumns)
            {
                Prefetch.Ahead(ref words, PrefetchBytes);
                AddRow(ref words, ref block, Int8Activations.StepWords * index, ref sumA, ref sumB);
                words = ref Unsafe.Add(ref words, PanelLayout.StepWords);
                block = ref Unsafe.Add(ref block, Int8Activations.StepWords * height);
            }

            column = end;
            Scale(call, scale, unit, sumA, sumB, ref totalA, ref totalB);
        }

        Store(call, row, panel, totalA, totalB);
    }

    [MethodImpl(Compile.Once)]
    private void RunFourRows(in KernelCall call, ref int x, int row, int panel)
    {
        ref int words = ref Unsafe.Add(ref call.Weights, (nint)panel * Shape.Steps * PanelLayout.StepWords);
        nint scales = (nint)panel * Shape.Groups * PanelLayout.PanelRows;
        Vector256<float> total0A = default, total0B = default, total1A = default, total1B = default;
        Vector256<float> total2A = default, total2B = default, total3A = default, total3B = default;
        for (int column = 0; column < Shape.In;)
        {
            nint scale = scales + (nint)(column / Shape.Group) * PanelLayout.PanelRows;
            ref int block = ref x;
            Vector256<int> sum0A = Vector256.Create(Unsafe.Add(ref block, 4)), sum0B = sum0A;
            Vector256<int> sum1A = Vector256.Create(Unsafe.Add(ref block, 5)), sum1B = sum1A;
            Vector256<int> sum2A = Vector256.Create(Unsafe.Add(ref block, 6)), sum2B = sum2A;
            Vector256<int> sum3A = Vector256.Create(Unsafe.Add(ref block, 7)), sum3B = sum3A;
            x = ref Unsafe.Add(ref x, RowsAtOnce * Int8Activations.HeaderWords);
            int end = Blocks.EndOf(column);
            for (; column < end; column += PanelLayout.StepColumns)
            {
                AddRow(ref words, ref x, 0, ref sum0A, ref sum0B);
                AddRow(ref words, ref x, 2, ref sum1A, ref sum1B);
                AddRow(ref words, ref x, 4, ref sum2A, ref sum2B);
                AddRow(ref words, ref x, 6, ref sum3A, ref sum3B);
                words = ref Unsafe.Add(ref words, PanelLayout.StepWords);
                x = ref Unsafe.Add(ref x, RowsAtOnce * Int8Activations.StepWords);
            }

            column = end;
            Scale(call, scale, block, sum0A, sum0B, ref total0A, ref total0B);
            Scale(call, scale, Unsafe.Add(ref block, 1), sum1A, sum1B, ref total1A, ref total1B);
            Scale(call, scale, Unsafe.Add(ref block, 2), sum2A, sum2B, ref total2A, ref total2B);
            Scale(call, scale, Unsafe.Add(ref block, 3), sum3A, sum3B, ref total3A, ref total3B);
        }

        Store(call, row, panel, total0A, total0B);
        Store(call, row + 1, panel, total1A, total1B);
        Store(call, row + 2, panel, total2A, total2B);
        Store(call, row + 3, panel, total3A, total3B);
    }

    /// <summary>One step of one row, whose two words of x are at <paramref name="offset"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddRow(ref int words, ref int x, int offset, ref Vector256<int> sumA, ref Vector256<int> sumB)
    {
        Vector256<sbyte> xEven = Vector256.Create(Unsafe.Add(ref x, offset)).AsSByte();
        Vector256<sbyte> xOdd = Vector256.Create(Unsafe.Add(ref x, offset + 1)).AsSByte();
        sumA = Add(sumA, Vector256.LoadUnsafe(ref words), xEven, xOdd);
        sumB = Add(sumB, Vector256.LoadUnsafe(ref words, 8), xEven, xOdd);
    }

    /// <summary>Four products of at most 15 · 127 come together in 16 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Add(Vector256<int> sum, Vector256<int> words, Vector256<sbyte> xEven, Vector256<sbyte> xOdd)
    {
        Vector256<byte> mask = Vector256.Create((byte)0x0F);
        Vector256<short> pairs = Avx2.MultiplyAddAdjacent(words.AsByte() & mask, xEven)
            + Avx2.MultiplyAddAdjacent((words >>> 4).AsByte() & mask, xOdd);
        return sum + Avx2.MultiplyAddAdjacent(pairs, Vector256<short>.One);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Scale(
        in KernelCall call, nint scale, int unit, Vector256<int> sumA, Vector256<int> sumB, ref Vector256<float> totalA, ref Vector256<float> totalB)
    {
        Vector256<float> units = Vector256.Create(unit).AsSingle();
        totalA = Fma.MultiplyAdd(Vector256.ConvertToSingle(sumA), PanelScales.Load256(ref call.Scales, scale, PanelScales.Exact) * units, totalA);
        totalB = Fma.MultiplyAdd(Vector256.ConvertToSingle(sumB), PanelScales.Load256(ref call.Scales, scale + 8, PanelScales.Exact) * units, totalB);
    }

    private void Store(in KernelCall call, int row, int panel, Vector256<float> totalA, Vector256<float> totalB)
    {
        int output = panel * PanelLayout.PanelRows;
        PanelStore.Add(
            ref Unsafe.Add(ref call.Bias, output),
            ref Unsafe.Add(ref call.Y, (nint)row * Shape.Out + output),
            Math.Min(PanelLayout.PanelRows, Shape.Out - output),
            totalA, totalB);
    }
}
