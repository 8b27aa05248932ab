using System.ComponentModel;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Q4Gen.Kernels;

/// <summary>
/// Stores the sums of one panel, <c>y = start + sum</c>, where <c>start</c> is the bias or what y already holds. The
/// last panel of a layer whose Out is no multiple of 16 stores only the rows that exist.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class PanelStore
{
    private const int PanelRows = Format.PanelLayout.PanelRows;

    /// <summary>Stores a whole panel.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add(ref float start, ref float y, Vector512<float> sum) =>
        (Vector512.LoadUnsafe(ref start) + sum).StoreUnsafe(ref y);

    /// <inheritdoc cref="Add(ref float, ref float, Vector512{float})"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add(ref float start, ref float y, Vector256<float> sumA, Vector256<float> sumB)
    {
        (Vector256.LoadUnsafe(ref start) + sumA).StoreUnsafe(ref y);
        (Vector256.LoadUnsafe(ref start, 8) + sumB).StoreUnsafe(ref y, 8);
    }

    /// <inheritdoc cref="Add(ref float, ref float, Vector512{float})"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add(
        ref float start, ref float y, Vector128<float> sumA, Vector128<float> sumB, Vector128<float> sumC, Vector128<float> sumD)
    {
        (Vector128.LoadUnsafe(ref start) + sumA).StoreUnsafe(ref y);
        (Vector128.LoadUnsafe(ref start, 4) + sumB).StoreUnsafe(ref y, 4);
        (Vector128.LoadUnsafe(ref start, 8) + sumC).StoreUnsafe(ref y, 8);
        (Vector128.LoadUnsafe(ref start, 12) + sumD).StoreUnsafe(ref y, 12);
    }

    /// <summary>Stores the first <paramref name="count"/> rows of a panel: all 16, or as many as the last panel has.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add(ref float start, ref float y, int count, Vector512<float> sum)
    {
        if (count == PanelRows)
        {
            Add(ref start, ref y, sum);
        }
        else
        {
            AddFirst(ref start, ref y, count, in sum);
        }
    }

    /// <inheritdoc cref="Add(ref float, ref float, int, Vector512{float})"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add(ref float start, ref float y, int count, Vector256<float> sumA, Vector256<float> sumB)
    {
        if (count == PanelRows)
        {
            Add(ref start, ref y, sumA, sumB);
        }
        else
        {
            AddFirst(ref start, ref y, count, Vector512.Create(sumA, sumB));
        }
    }

    /// <inheritdoc cref="Add(ref float, ref float, int, Vector512{float})"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add(
        ref float start, ref float y, int count, Vector128<float> sumA, Vector128<float> sumB, Vector128<float> sumC, Vector128<float> sumD)
    {
        if (count == PanelRows)
        {
            Add(ref start, ref y, sumA, sumB, sumC, sumD);
        }
        else
        {
            AddFirst(ref start, ref y, count, Vector512.Create(Vector256.Create(sumA, sumB), Vector256.Create(sumC, sumD)));
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void AddFirst(ref float start, ref float y, int count, in Vector512<float> sum)
    {
        for (int i = 0; i < count; i++)
        {
            Unsafe.Add(ref y, i) = Unsafe.Add(ref start, i) + sum[i];
        }
    }
}
