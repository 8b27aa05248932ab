using System.Runtime.CompilerServices;

namespace Q4Gen.Kernels;

/// <summary>
/// The order of a layer whose columns were sorted by group: column k multiplies input feature <c>order[k]</c>. Rows of x are
/// brought into it once a call, before anything else looks at them, so that kernels know nothing of it.
/// </summary>
internal static unsafe class InputOrder
{
    /// <summary>Copies the rows of x from <paramref name="firstRow"/> up to <paramref name="endRow"/> in the order of columns: <c>target[rows, in]</c>.</summary>
    [MethodImpl(Compile.Once)]
    public static void Gather(in KernelCall call, int columns, float* target, int firstRow, int endRow)
    {
        // Every index is one of a column: an order is checked when it is packed.
        ref int order = ref call.Order;
        for (int row = firstRow; row < endRow; row++)
        {
            ref float x = ref Unsafe.Add(ref call.X, (nint)row * columns);
            float* y = target + (nint)row * columns;
            for (int k = 0; k < columns; k++)
            {
                y[k] = Unsafe.Add(ref x, Unsafe.Add(ref order, k));
            }
        }
    }

    /// <summary>What is wrong with an order, to follow what messages call it; null where it names each input feature once.</summary>
    public static string? FindFlaw(ReadOnlySpan<int> order)
    {
        // One more than the column that named an input feature before.
        var columns = new int[order.Length];
        for (int k = 0; k < order.Length; k++)
        {
            int input = order[k];
            if (input < 0 || input >= order.Length)
            {
                return $"names input feature {input} at column {k}, but features are 0 to {order.Length - 1}";
            }

            if (columns[input] != 0)
            {
                return $"names input feature {input} twice, at columns {columns[input] - 1} and {k}, but each of {order.Length} must be there once";
            }

            columns[input] = k + 1;
        }

        return null;
    }

    /// <summary>Whether columns are in the order of input features: an order that there is no need to keep.</summary>
    public static bool IsIdentity(ReadOnlySpan<int> order)
    {
        for (int k = 0; k < order.Length; k++)
        {
            if (order[k] != k)
            {
                return false;
            }
        }

        return true;
    }
}
