using System.ComponentModel;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Q4Gen.Kernels;

/// <summary>
/// Widens F16 scales to float32 with four vector operations: sign-extend to 32 bits, move exponent and mantissa to
/// where float32 has them, drop the copies of the sign, and multiply by 2¹¹² for the difference in exponent bias. The
/// multiplication makes denormals come out right as well; it is exact. Infinities and NaNs do not occur: loading
/// rejects them.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class PanelScales
{
    /// <summary>2¹¹²: float32 bias 127 less F16 bias 15.</summary>
    private const float Rebias = 5192296858534827628530496329220096f;

    /// <summary>2⁻²⁸: undoes the position of a nibble that was converted from the top four bits of a word.</summary>
    private const float TopNibbleUnit = 1f / (1 << 28);

    private const int MantissaShift = 13;
    private const int SignAndMagnitude = unchecked((int)0x8FFFE000);

    /// <summary>A scale for nibbles that were converted exactly as they are.</summary>
    public const float Exact = Rebias;

    /// <summary>A scale for nibbles that were converted from the top four bits of a word, 2²⁸ times too large.</summary>
    public const float TopNibble = Rebias * TopNibbleUnit;

    /// <summary>Four scales at <paramref name="offset"/>, times <paramref name="unit"/> / 2¹¹².</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Load128(ref short scales, nint offset, float unit)
    {
        Vector128<int> bits = Vector128.WidenLower(
            Vector64.LoadUnsafe(ref Unsafe.Add(ref scales, offset)).ToVector128Unsafe());
        return Rebiased(bits) * Vector128.Create(unit);
    }

    /// <summary>Eight scales at <paramref name="offset"/>, times <paramref name="unit"/> / 2¹¹².</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load256(ref short scales, nint offset, float unit)
    {
        Vector256<int> bits = Vector256.WidenLower(
            Vector128.LoadUnsafe(ref Unsafe.Add(ref scales, offset)).ToVector256Unsafe());
        return ((bits << MantissaShift) & Vector256.Create(SignAndMagnitude)).AsSingle() * Vector256.Create(unit);
    }

    /// <summary>Sixteen scales at <paramref name="offset"/>, times <paramref name="unit"/> / 2¹¹².</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load512(ref short scales, nint offset, float unit)
    {
        Vector512<int> bits = Vector512.WidenLower(
            Vector256.LoadUnsafe(ref Unsafe.Add(ref scales, offset)).ToVector512Unsafe());
        return ((bits << MantissaShift) & Vector512.Create(SignAndMagnitude)).AsSingle() * Vector512.Create(unit);
    }

    /// <summary>One scale, for scalar kernels.</summary>
    public static float Load(ref short scales, nint offset) =>
        (float)BitConverter.Int16BitsToHalf(Unsafe.Add(ref scales, offset));

    private static Vector128<float> Rebiased(Vector128<int> bits) =>
        ((bits << MantissaShift) & Vector128.Create(SignAndMagnitude)).AsSingle();
}
