using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Q4Gen.Format;

namespace Q4Gen.Kernels;

/// <summary>
/// What affine weights add: <c>y[r, o] += Σ_g offset[o, g] · Σ_{k∈g} x[r, k]</c>. The sums of x are taken once a row; then
/// it is one multiply-add a group, where the weights of the group are one for each of its columns. So it is done after
/// any kernel, on the panels that the same thread has just computed, rather than inside each of them.
/// </summary>
internal static class GroupOffsets
{
    private const int PanelRows = PanelLayout.PanelRows;

    /// <summary>
    /// Sums each group of the rows of x from <paramref name="firstRow"/> up to <paramref name="endRow"/>:
    /// <c>sums[rows, groups]</c>. Summed in float64 and rounded once, for sums cancel.
    /// </summary>
    [MethodImpl(Compile.Once)]
    public static void Sum(in KernelCall call, Linear4BitShape shape, int firstRow, int endRow)
    {
        for (int row = firstRow; row < endRow; row++)
        {
            ReadOnlySpan<float> rest = MemoryMarshal.CreateReadOnlySpan(in Unsafe.Add(ref call.X, (nint)row * shape.In), shape.In);
            for (int group = 0; group < shape.Groups; group++)
            {
                int columns = Math.Min(shape.Group, rest.Length);
                Unsafe.Add(ref call.Sums, (nint)row * shape.Groups + group) = Sum(rest[..columns]);
                rest = rest[columns..];
            }
        }
    }

    /// <summary>Adds the offsets' part to the outputs of the panels from <paramref name="firstPanel"/> up to <paramref name="endPanel"/>.</summary>
    [MethodImpl(Compile.Once)]
    public static void Add(in KernelCall call, Linear4BitShape shape, int firstPanel, int endPanel)
    {
        for (int panel = firstPanel; panel < endPanel; panel++)
        {
            int outputs = Math.Min(PanelRows, shape.Out - panel * PanelRows);
            int row = 0;
            for (; row <= call.Rows - 4; row += 4)
            {
                AddRows4(call, shape, panel, row, outputs);
            }

            for (; row < call.Rows; row++)
            {
                AddRow(call, shape, panel, row, outputs);
            }
        }
    }

    /// <summary>One row. Summed in the same order as one of four, so that results do not depend on the number of rows.</summary>
    [MethodImpl(Compile.Once)]
    private static void AddRow(in KernelCall call, Linear4BitShape shape, int panel, int row, int outputs)
    {
        int groups = shape.Groups;
        ref short offsets = ref Unsafe.Add(ref call.Offsets, (nint)panel * groups * PanelRows);
        ref float sums = ref Unsafe.Add(ref call.Sums, (nint)row * groups);
        Vector256<float> rowA = default, rowB = default;
        for (int group = 0; group < groups; group++)
        {
            var sum = Vector256.Create(Unsafe.Add(ref sums, group));
            rowA = Vector256.FusedMultiplyAdd(Load(ref offsets, group, 0), sum, rowA);
            rowB = Vector256.FusedMultiplyAdd(Load(ref offsets, group, 8), sum, rowB);
        }

        Store(call, shape, panel, row, outputs, rowA, rowB);
    }

    /// <summary>Four rows, which share the offsets once they are float32.</summary>
    [MethodImpl(Compile.Once)]
    private static void AddRows4(in KernelCall call, Linear4BitShape shape, int panel, int row, int outputs)
    {
        int groups = shape.Groups;
        ref short offsets = ref Unsafe.Add(ref call.Offsets, (nint)panel * groups * PanelRows);
        ref float sums0 = ref Unsafe.Add(ref call.Sums, (nint)row * groups);
        ref float sums1 = ref Unsafe.Add(ref sums0, groups);
        ref float sums2 = ref Unsafe.Add(ref sums1, groups);
        ref float sums3 = ref Unsafe.Add(ref sums2, groups);
        Vector256<float> row0A = default, row0B = default, row1A = default, row1B = default;
        Vector256<float> row2A = default, row2B = default, row3A = default, row3B = default;
        for (int group = 0; group < groups; group++)
        {
            Vector256<float> offsetsA = Load(ref offsets, group, 0), offsetsB = Load(ref offsets, group, 8);
            var sum0 = Vector256.Create(Unsafe.Add(ref sums0, group));
            var sum1 = Vector256.Create(Unsafe.Add(ref sums1, group));
            var sum2 = Vector256.Create(Unsafe.Add(ref sums2, group));
            var sum3 = Vector256.Create(Unsafe.Add(ref sums3, group));
            row0A = Vector256.FusedMultiplyAdd(offsetsA, sum0, row0A);
            row0B = Vector256.FusedMultiplyAdd(offsetsB, sum0, row0B);
            row1A = Vector256.FusedMultiplyAdd(offsetsA, sum1, row1A);
            row1B = Vector256.FusedMultiplyAdd(offsetsB, sum1, row1B);
            row2A = Vector256.FusedMultiplyAdd(offsetsA, sum2, row2A);
            row2B = Vector256.FusedMultiplyAdd(offsetsB, sum2, row2B);
            row3A = Vector256.FusedMultiplyAdd(offsetsA, sum3, row3A);
            row3B = Vector256.FusedMultiplyAdd(offsetsB, sum3, row3B);
        }

        Store(call, shape, panel, row, outputs, row0A, row0B);
        Store(call, shape, panel, row + 1, outputs, row1A, row1B);
        Store(call, shape, panel, row + 2, outputs, row2A, row2B);
        Store(call, shape, panel, row + 3, outputs, row3A, row3B);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Load(ref short offsets, int group, int half) =>
        PanelScales.Load256(ref offsets, (nint)group * PanelRows + half, PanelScales.Exact);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(in KernelCall call, Linear4BitShape shape, int panel, int row, int outputs, Vector256<float> sumA, Vector256<float> sumB)
    {
        ref float y = ref Unsafe.Add(ref call.Y, (nint)row * shape.Out + panel * PanelRows);
        PanelStore.Add(ref y, ref y, outputs, sumA, sumB);
    }

    [MethodImpl(Compile.Once)]
    private static float Sum(ReadOnlySpan<float> x)
    {
        Vector256<double> lower = default, upper = default;
        int i = 0;
        for (; i <= x.Length - Vector256<float>.Count; i += Vector256<float>.Count)
        {
            (Vector256<double> first, Vector256<double> second) = Vector256.Widen(Vector256.Create(x[i..]));
            lower += first;
            upper += second;
        }

        double sum = Vector256.Sum(lower + upper);
        for (; i < x.Length; i++)
        {
            sum += x[i];
        }

        return (float)sum;
    }
}
