using System.ComponentModel;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Q4Gen.Kernels;

/// <summary>Dot products of nibbles and bytes in 128-bit vectors, for processors without an instruction for it.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class DotProducts
{
    /// <summary>Whether this processor has what <see cref="Add"/> is made of.</summary>
    public static bool IsSupported => Ssse3.IsSupported || AdvSimd.Arm64.IsSupported;

    /// <summary>
    /// Adds, to each 32-bit sum, the products of its four nibbles (0 … 15, one a byte) and the four bytes of x beside
    /// them (−127 … 127), of a step's even columns and of its odd ones. Four of the products come together in 16 bits:
    /// 4 · 15 · 127 = 7,620.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> Add(
        Vector128<int> sum, Vector128<byte> even, Vector128<byte> odd, Vector128<sbyte> xEven, Vector128<sbyte> xOdd)
    {
        if (AdvSimd.Arm64.IsSupported)
        {
            Vector128<short> low = AdvSimd.MultiplyWideningLower(even.GetLower().AsSByte(), xEven.GetLower());
            Vector128<short> high = AdvSimd.MultiplyWideningUpper(even.AsSByte(), xEven);
            low = AdvSimd.MultiplyWideningLowerAndAdd(low, odd.GetLower().AsSByte(), xOdd.GetLower());
            high = AdvSimd.MultiplyWideningUpperAndAdd(high, odd.AsSByte(), xOdd);
            return AdvSimd.AddPairwiseWideningAndAdd(sum, AdvSimd.Arm64.AddPairwise(low, high));
        }

        Vector128<short> pairs = Ssse3.MultiplyAddAdjacent(even, xEven) + Ssse3.MultiplyAddAdjacent(odd, xOdd);
        return sum + Sse2.MultiplyAddAdjacent(pairs, Vector128<short>.One);
    }
}
