using System.ComponentModel;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Q4Gen.Format;

namespace Q4Gen.Kernels;

/// <summary>
/// Rows of x as kernels with 8-bit activations want them. A block of columns shares a scale, <c>max|x| / 127</c>, and
/// its columns become <c>round(x / scale)</c>, half to even. Panel layout hands a kernel the even columns of a step in
/// one vector and the odd ones in another, so a step is two words: bytes 0, 2, 4, 6 and bytes 1, 3, 5, 7. In front of
/// each block stand its scale and its correction, −8 · Σ of its bytes, which takes the 8 back that nibbles are above
/// their values; integer sums start with it.
/// </summary>
/// <remarks>
/// Tiles: <c>[tile][block]</c> of <c>{ scale[height], correction[height], [step][height][even, odd] }</c>, all 32-bit
/// words. A row that holds a NaN or an infinity gets a scale of NaN or infinity in that block, and thereby outputs of NaN.
/// </remarks>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class Int8Activations
{
    /// <summary>The largest byte; −128 is left out, so that a row and its negative give results that differ in sign only.</summary>
    public const int Largest = 127;

    /// <summary>
    /// A block whose largest magnitude is below counts as zeros: the reciprocal of its scale would be infinite.
    /// </summary>
    public const float Smallest = 1e-36f;

    /// <summary>Words in front of each block and row: its scale and its correction.</summary>
    internal const int HeaderWords = 2;

    /// <summary>Words of a step: its even and its odd columns.</summary>
    internal const int StepWords = 2;

    private const int Columns = PanelLayout.StepColumns;

    /// <summary>Of eight 16-bit numbers the low bytes, even columns first.</summary>
    private static Vector128<byte> EvenThenOdd
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector128.Create((byte)0, 4, 8, 12, 2, 6, 10, 14, 0, 0, 0, 0, 0, 0, 0, 0);
    }

    /// <summary>
    /// The tiles of a call: those that it came with, or, where it came row by row, ones that this thread makes in its
    /// scratch memory.
    /// </summary>
    public static ref int Tiles(in KernelCall call, Int8Kernel kernel)
    {
        if (call.IsTiled)
        {
            return ref call.Tiles;
        }

        ref int tiles = ref Unsafe.As<float, int>(ref KernelCall.Scratch(checked((int)(kernel.Blocks.RowWords * call.Rows))));
        var rows = new RowTiles(call.Rows, kernel.MaxTileRows);
        for (int tile = 0; tile < rows.Count; tile++)
        {
            int row = rows.RowOf(tile);
            PackTile(call, kernel.Blocks, row, rows.HeightOf(tile), ref Unsafe.Add(ref tiles, (nint)row * kernel.Blocks.RowWords));
        }

        return ref tiles;
    }

    /// <summary>Packs rows <paramref name="row"/> to <paramref name="row"/> + <paramref name="height"/> − 1 as one tile.</summary>
    [MethodImpl(Compile.Once)]
    internal static void PackTile(in KernelCall call, ActivationBlocks blocks, int row, int height, ref int tile)
    {
        for (int r = 0; r < height; r++)
        {
            ref float x = ref Unsafe.Add(ref call.X, (nint)(row + r) * blocks.Columns);
            ref int block = ref Unsafe.Add(ref tile, r);
            for (int column = 0; column < blocks.Columns;)
            {
                int end = blocks.EndOf(column);
                PackBlock(ref Unsafe.Add(ref x, column), end - column, ref block, height, r);
                int steps = (end - column + Columns - 1) / Columns;
                block = ref Unsafe.Add(ref block, height * (HeaderWords + StepWords * steps));
                column = end;
            }
        }
    }

    /// <summary>One block of one row; <paramref name="block"/> is where its scale goes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PackBlock(ref float x, int columns, ref int block, int height, int row)
    {
        float max = Magnitude(ref x, columns);
        (float scale, float inverse) = max < Smallest ? (0f, 0f) : (max / Largest, Largest / max);

        // A row's words: behind the scales and corrections of all rows, as far in as its number, two a step.
        ref int words = ref Unsafe.Add(ref block, HeaderWords * height + row);
        Vector128<float> factor = Vector128.Create(inverse);
        Vector128<int> sum = default;
        int column = 0;
        for (; column <= columns - Columns; column += Columns)
        {
            PackStep(Vector128.LoadUnsafe(ref x, (nuint)column), Vector128.LoadUnsafe(ref x, (nuint)column + 4), factor, ref words, ref sum);
            words = ref Unsafe.Add(ref words, StepWords * height);
        }

        if (column < columns)
        {
            Vector256<float> tail = StepTail.Load(ref Unsafe.Add(ref x, column), columns - column);
            PackStep(tail.GetLower(), tail.GetUpper(), factor, ref words, ref sum);
        }

        block = BitConverter.SingleToInt32Bits(scale);
        Unsafe.Add(ref block, height) = -PanelLayout.NibbleBias * Vector128.Sum(sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PackStep(Vector128<float> low, Vector128<float> high, Vector128<float> factor, ref int words, ref Vector128<int> sum)
    {
        // Rounded already, so that the conversion may round as it likes; what is no number is lost, as its scale is none.
        Vector128<int> a = Vector128.ConvertToInt32Native(Vector128.Round(low * factor));
        Vector128<int> b = Vector128.ConvertToInt32Native(Vector128.Round(high * factor));
        sum += a + b;
        Vector128<byte> bytes = Vector128.Shuffle(Vector128.Narrow(a, b).AsByte(), EvenThenOdd);
        Unsafe.WriteUnaligned(ref Unsafe.As<int, byte>(ref words), bytes.AsInt64().ToScalar());
    }

    /// <summary>
    /// The largest magnitude; a NaN, or else an infinity, where there is one. Without their signs, floats are ordered
    /// as their bits are, NaNs last.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Magnitude(ref float x, int columns)
    {
        Vector128<int> magnitude = Vector128.Create(int.MaxValue);
        Vector128<int> max0 = default, max1 = default;
        int column = 0;
        for (; column <= columns - Columns; column += Columns)
        {
            max0 = Vector128.Max(max0, Vector128.LoadUnsafe(ref x, (nuint)column).AsInt32() & magnitude);
            max1 = Vector128.Max(max1, Vector128.LoadUnsafe(ref x, (nuint)column + 4).AsInt32() & magnitude);
        }

        max0 = Vector128.Max(max0, max1);
        int max = Math.Max(Math.Max(max0[0], max0[1]), Math.Max(max0[2], max0[3]));
        for (; column < columns; column++)
        {
            max = Math.Max(max, BitConverter.SingleToInt32Bits(Unsafe.Add(ref x, column)) & int.MaxValue);
        }

        return BitConverter.Int32BitsToSingle(max);
    }
}
