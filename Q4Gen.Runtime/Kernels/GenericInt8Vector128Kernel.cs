using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Q4Gen.Format;

namespace Q4Gen.Kernels;

/// <summary>Any shape whose group is a multiple of 8, with 8-bit activations in 128-bit vectors: one row of x against one panel at a time.</summary>
internal sealed class GenericInt8Vector128Kernel(Linear4BitShape shape) : Int8Kernel(shape, KernelIsa.Vector128)
{
    private const int Lanes = 4;

    /// <inheritdoc/>
    public override string Name => "Linear4Bit_generic_int8_vector128";

    /// <inheritdoc/>
    public override bool IsGenerated => false;

    /// <inheritdoc/>
    public override int MinTiledRows => 2;

    /// <inheritdoc/>
    public override void Run(in KernelCall call, int firstPanel, int endPanel)
    {
        ref int tiles = ref Int8Activations.Tiles(call, this);
        for (int panel = firstPanel; panel < endPanel; panel++)
        {
            for (int row = 0; row < call.Rows; row++)
            {
                RunRow(call, ref Unsafe.Add(ref tiles, (nint)row * Blocks.RowWords), row, panel);
            }
        }
    }

    [MethodImpl(Compile.Once)]
    private void RunRow(in KernelCall call, ref int x, int row, int panel)
    {
        ref int words = ref Unsafe.Add(ref call.Weights, (nint)panel * Shape.Steps * PanelLayout.StepWords);
        nint scales = (nint)panel * Shape.Groups * PanelLayout.PanelRows;
        Vector128<float> totalA = default, totalB = default, totalC = default, totalD = default;
        for (int column = 0; column < Shape.In;)
        {
            nint scale = scales + (nint)(column / Shape.Group) * PanelLayout.PanelRows;
            Vector128<float> unit = Vector128.Create(x).AsSingle();
            Vector128<int> sumA = Vector128.Create(Unsafe.Add(ref x, 1));
            Vector128<int> sumB = sumA, sumC = sumA, sumD = sumA;
            x = ref Unsafe.Add(ref x, Int8Activations.HeaderWords);
            int end = Blocks.EndOf(column);
            for (; column < end; column += PanelLayout.StepColumns)
            {
                Vector128<sbyte> xEven = Vector128.Create(x).AsSByte();
                Vector128<sbyte> xOdd = Vector128.Create(Unsafe.Add(ref x, 1)).AsSByte();
                sumA = Add(sumA, Vector128.LoadUnsafe(ref words), xEven, xOdd);
                sumB = Add(sumB, Vector128.LoadUnsafe(ref words, Lanes), xEven, xOdd);
                sumC = Add(sumC, Vector128.LoadUnsafe(ref words, 2 * Lanes), xEven, xOdd);
                sumD = Add(sumD, Vector128.LoadUnsafe(ref words, 3 * Lanes), xEven, xOdd);
                words = ref Unsafe.Add(ref words, PanelLayout.StepWords);
                x = ref Unsafe.Add(ref x, Int8Activations.StepWords);
            }

            column = end;
            totalA = Scale(sumA, call, scale, unit, totalA);
            totalB = Scale(sumB, call, scale + Lanes, unit, totalB);
            totalC = Scale(sumC, call, scale + 2 * Lanes, unit, totalC);
            totalD = Scale(sumD, call, scale + 3 * Lanes, unit, totalD);
        }

        int output = panel * PanelLayout.PanelRows;
        PanelStore.Add(
            ref Unsafe.Add(ref call.Bias, output),
            ref Unsafe.Add(ref call.Y, (nint)row * Shape.Out + output),
            Math.Min(PanelLayout.PanelRows, Shape.Out - output),
            totalA, totalB, totalC, totalD);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Add(Vector128<int> sum, Vector128<int> words, Vector128<sbyte> xEven, Vector128<sbyte> xOdd)
    {
        Vector128<byte> mask = Vector128.Create((byte)0x0F);
        return DotProducts.Add(sum, words.AsByte() & mask, (words >>> 4).AsByte() & mask, xEven, xOdd);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Scale(Vector128<int> sum, in KernelCall call, nint scale, Vector128<float> unit, Vector128<float> total) =>
        Vector128.FusedMultiplyAdd(Vector128.ConvertToSingle(sum), PanelScales.Load128(ref call.Scales, scale, PanelScales.Exact) * unit, total);
}
