using System.ComponentModel;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Q4Gen.Format;

namespace Q4Gen.Kernels;

/// <summary>
/// Rows of x in 24-bit fixed point, for exact kernels whose instruction set multiplies bytes faster than it turns nibbles
/// into floats. A block of columns shares a unit, 2⁻²³ of its largest magnitude; each column is a whole number of units,
/// half to even, and that number has three digits of base 256 from −128 to 127. Products of nibbles and digits are
/// summed in integers, exactly, so that nothing but the rounding of x is lost: at most 2⁻²⁴ of a block's largest
/// magnitude a column, where float32 sums lose about as much of their own size at every addition.
/// </summary>
/// <remarks>
/// <para>
/// A column that sticks out would coarsen the rest of its block. Where one is more than <see cref="WidestRange"/> times
/// the mean of the others, it counts as zero there and is multiplied in float32 after the kernel; so is what is no
/// finite number, which gives what float32 gives. See <see cref="FixedPointRows.AddOutliers"/>.
/// </para>
/// <para>
/// A row: <c>[block]</c> of <c>{ unit, correction of the low two digits, of the high one, [step][digit][even, odd] }</c>,
/// all 32-bit words, lowest digit first; bytes as in <see cref="Int8Activations"/>. A correction is −8 times the sum of
/// the digits, and takes the 8 back that nibbles are above their values.
/// </para>
/// </remarks>
[EditorBrowsable(EditorBrowsableState.Never)]
public static unsafe class FixedPointActivations
{
    /// <summary>Words in front of a block.</summary>
    public const int HeaderWords = 3;

    /// <summary>Words of a step: even and odd columns of three digits.</summary>
    public const int StepWords = 6;

    /// <summary>
    /// How much larger than the mean of the others a column may be. At this limit x is rounded by 1.1·10⁻⁶ of that mean
    /// (root mean square); 256 normally distributed columns reach 6, where it is 2·10⁻⁷.
    /// </summary>
    internal const float WidestRange = 32;

    /// <summary>A block whose largest magnitude is below, 2⁻¹⁰³, counts as zeros: its unit would not have float32's full precision.</summary>
    internal const float Smallest = 1f / (1L << 52) / (1L << 51);

    /// <summary>
    /// 2²³ less what keeps three digits from overflowing where x, times the reciprocal of the unit, comes out a little high.
    /// </summary>
    private const float LargestUnits = 0x7F7F00;

    /// <summary>Added, it turns digits from −128 … 127 into bytes without a borrow; flipped again, each byte is its digit.</summary>
    private const int DigitBias = 0x808080;

    private const int Columns = PanelLayout.StepColumns;

    private const byte None = 0xFF;

    /// <summary>Prepares the rows of a row-major call from <paramref name="firstRow"/> on, in this thread's scratch memory.</summary>
    /// <param name="call">The call.</param>
    /// <param name="shape">The layer's shape, whose groups are whole steps.</param>
    /// <param name="blockSteps">The most steps that share a unit: as many as the kernel sums before it scales.</param>
    /// <param name="firstRow">The first row.</param>
    [MethodImpl(Compile.Once)]
    public static FixedPointRows Prepare(in KernelCall call, Linear4BitShape shape, int blockSteps, int firstRow)
    {
        var blocks = new StepBlocks(shape, blockSteps);
        int rowWords = blocks.Count * HeaderWords + shape.Steps * StepWords;
        var rows = new FixedPointRows(shape, firstRow, call.Rows - firstRow, rowWords);
        for (int row = firstRow; row < call.Rows; row++)
        {
            ref float x = ref Unsafe.Add(ref call.X, (nint)row * shape.In);
            ref int block = ref rows[row];
            for (int step = 0; step < shape.Steps;)
            {
                int end = blocks.EndOf(step);
                int first = step * Columns;
                int columns = Math.Min(end * Columns, shape.In) - first;
                (float max, float sum) = Magnitudes(ref Unsafe.Add(ref x, first), columns);
                if (IsEven(max, sum, columns))
                {
                    Pack(ref Unsafe.Add(ref x, first), columns, max, ref block);
                }
                else
                {
                    PackApart(ref Unsafe.Add(ref x, first), columns, ref block, ref rows, row, first);
                }

                block = ref Unsafe.Add(ref block, HeaderWords + (end - step) * StepWords);
                step = end;
            }
        }

        return rows;
    }

    /// <summary>Whether no column sticks out; not so where one is no finite number.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsEven(float max, float sum, int columns) => max * (columns - 1) <= WidestRange * (sum - max);

    /// <summary>Takes out the columns that stick out, one after the other, and packs what remains.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void PackApart(ref float x, int columns, ref int block, ref FixedPointRows rows, int row, int first)
    {
        float* rest = stackalloc float[PanelLayout.MaxBlockColumns];
        var values = new Span<float>(rest, columns);
        MemoryMarshal.CreateReadOnlySpan(ref x, columns).CopyTo(values);
        while (true)
        {
            (float max, float sum) = Magnitudes(ref *rest, columns);
            if (max < Smallest || IsEven(max, sum, columns))
            {
                Pack(ref *rest, columns, max, ref block);
                return;
            }

            int bits = BitConverter.SingleToInt32Bits(max);
            for (int column = 0; column < columns; column++)
            {
                if ((BitConverter.SingleToInt32Bits(values[column]) & int.MaxValue) == bits)
                {
                    rows.SetApart(new OutlierColumn(row, first + column, values[column]));
                    values[column] = 0;
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Pack(ref float x, int columns, float max, ref int block)
    {
        (float unit, float inverse) = max < Smallest ? (0f, 0f) : (max / LargestUnits, LargestUnits / max);
        Vector256<float> factor = Vector256.Create(inverse);
        Vector256<int> sum = default, high = default;
        ref int words = ref Unsafe.Add(ref block, HeaderWords);
        int column = 0;
        for (; column <= columns - Columns; column += Columns)
        {
            PackStep(Vector256.LoadUnsafe(ref x, (nuint)column), factor, ref words, ref sum, ref high);
            words = ref Unsafe.Add(ref words, StepWords);
        }

        if (column < columns)
        {
            PackStep(StepTail.Load(ref Unsafe.Add(ref x, column), columns - column), factor, ref words, ref sum, ref high);
        }

        block = BitConverter.SingleToInt32Bits(unit);
        Unsafe.Add(ref block, 1) = -PanelLayout.NibbleBias * Vector256.Sum(sum - (high << 16));
        Unsafe.Add(ref block, 2) = -PanelLayout.NibbleBias * Vector256.Sum(high);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PackStep(Vector256<float> x, Vector256<float> factor, ref int words, ref Vector256<int> sum, ref Vector256<int> high)
    {
        // Rounded already, so that the conversion may round as it likes.
        Vector256<int> units = Vector256.ConvertToInt32Native(Vector256.Round(x * factor));
        Vector256<int> bias = Vector256.Create(DigitBias);
        Vector256<int> digits = (units + bias) ^ bias;
        sum += units;
        high += (digits << 8) >> 24;
        Vector128<byte> columns03 = digits.GetLower().AsByte(), columns47 = digits.GetUpper().AsByte();

        // Four columns of four bytes each, lowest digit first: where the bytes of the two lower digits and of the highest go,
        // for columns 0 to 3 and, into the gaps, for columns 4 to 7. Written out here: as properties NativeAOT called one of them.
        Vector128<byte> low =
            Vector128.Shuffle(columns03, Vector128.Create(0, 8, None, None, 4, 12, None, None, 1, 9, None, None, 5, 13, None, None))
            | Vector128.Shuffle(columns47, Vector128.Create(None, None, 0, 8, None, None, 4, 12, None, None, 1, 9, None, None, 5, 13));
        Vector128<byte> top =
            Vector128.Shuffle(columns03, Vector128.Create(2, 10, None, None, 6, 14, None, None, None, None, None, None, None, None, None, None))
            | Vector128.Shuffle(columns47, Vector128.Create(None, None, 2, 10, None, None, 6, 14, None, None, None, None, None, None, None, None));
        low.AsInt32().StoreUnsafe(ref words);
        Unsafe.WriteUnaligned(ref Unsafe.As<int, byte>(ref Unsafe.Add(ref words, 4)), top.AsInt64().ToScalar());
    }

    /// <summary>
    /// The largest magnitude, and the sum of all. Without their signs, floats are ordered as their bits are, NaNs last.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (float Max, float Sum) Magnitudes(ref float x, int columns)
    {
        Vector256<int> magnitude = Vector256.Create(int.MaxValue), max = default;
        Vector256<float> sums = default;
        int column = 0;
        for (; column <= columns - Columns; column += Columns)
        {
            Vector256<int> bits = Vector256.LoadUnsafe(ref x, (nuint)column).AsInt32() & magnitude;
            max = Vector256.Max(max, bits);
            sums += bits.AsSingle();
        }

        float sum = Vector256.Sum(sums);
        Vector128<int> half = Vector128.Max(max.GetLower(), max.GetUpper());
        int largest = Math.Max(Math.Max(half[0], half[1]), Math.Max(half[2], half[3]));
        for (; column < columns; column++)
        {
            int bits = BitConverter.SingleToInt32Bits(Unsafe.Add(ref x, column)) & int.MaxValue;
            largest = Math.Max(largest, bits);
            sum += BitConverter.Int32BitsToSingle(bits);
        }

        return (BitConverter.Int32BitsToSingle(largest), sum);
    }
}
