using System.ComponentModel;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Q4Gen.Kernels;

/// <summary>
/// Rows of x as kernels want them that take nibbles where they lie in a word. Such a nibble reads as nibble · 16ʲ, and
/// as 0 … 15 instead of −8 … 7. So column j of a step is stored divided by 16ʲ, which is exact, and behind the eight
/// columns of each step stands what takes the 8 back: −8 · Σx of its even columns, of its odd ones, and of all. Each
/// running sum is put right at each step, so that it never strays from what it is to become; a correction for a whole
/// row would cancel where x has a large mean.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class StepActivations
{
    /// <summary>Floats a step takes: eight columns and three corrections.</summary>
    public const int Stride = Format.PanelLayout.StepColumns + Format.PanelLayout.StepCorrections;

    private const int Columns = Format.PanelLayout.StepColumns;

    /// <summary>16⁻ʲ; the highest nibble is shifted down instead, because in its place it would be the sign.</summary>
    private static Vector256<float> Units
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector256.Create(1f, 1f / (1 << 4), 1f / (1 << 8), 1f / (1 << 12), 1f / (1 << 16), 1f / (1 << 20), 1f / (1 << 24), 1f);
    }

    /// <summary>
    /// Prepares the first <paramref name="rows"/> rows of a row-major call in this thread's scratch memory,
    /// <c>[row][step][11]</c>; columns that do not exist are zero.
    /// </summary>
    [MethodImpl(Compile.Once)]
    public static ref float Prepare(in KernelCall call, int columns, int rows)
    {
        int steps = (columns + Columns - 1) / Columns;
        ref float prepared = ref KernelCall.Scratch(checked(rows * steps * Stride));
        ref float target = ref prepared;
        for (int row = 0; row < rows; row++)
        {
            ref float x = ref Unsafe.Add(ref call.X, (nint)row * columns);
            for (int step = 0; step < columns / Columns; step++)
            {
                PrepareStep(Vector256.LoadUnsafe(ref x), ref target);
                x = ref Unsafe.Add(ref x, Columns);
                target = ref Unsafe.Add(ref target, Stride);
            }

            if (columns % Columns != 0)
            {
                PrepareStep(StepTail.Load(ref x, columns % Columns), ref target);
                target = ref Unsafe.Add(ref target, Stride);
            }
        }

        return ref prepared;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PrepareStep(Vector256<float> x, ref float target)
    {
        (x * Units).StoreUnsafe(ref target);
        float even = -Format.PanelLayout.NibbleBias * (x[0] + x[2] + x[4] + x[6]);
        float odd = -Format.PanelLayout.NibbleBias * (x[1] + x[3] + x[5] + x[7]);
        Unsafe.Add(ref target, Columns) = even;
        Unsafe.Add(ref target, Columns + 1) = odd;
        Unsafe.Add(ref target, Columns + 2) = even + odd;
    }
}
