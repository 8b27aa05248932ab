using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Q4Gen.Kernels;

/// <summary>The columns of x behind its whole steps.</summary>
internal static class StepTail
{
    /// <summary>The first <paramref name="columns"/> of a step, fewer than eight, and zeros; nothing behind them is read.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(ref float x, int columns)
    {
        Vector256<float> tail = default;
        for (int column = 0; column < columns; column++)
        {
            tail = tail.WithElement(column, Unsafe.Add(ref x, column));
        }

        return tail;
    }
}
