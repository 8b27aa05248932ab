using System.Runtime.Intrinsics;

namespace Q4Gen.Tests.Kernels.Models;

/// <summary>
/// AVX-512 in software, lane by lane as the processor manual defines it: the instructions that generated kernels use.
/// A kernel that comes to use another one does not compile against these models until it is added.
/// </summary>
public static class Avx512F
{
    /// <summary>Everywhere: that is what the model is for.</summary>
    public static bool IsSupported => true;

    /// <summary>VPERMPS: lane i is the lane of <paramref name="left"/> that the low four bits of index i name.</summary>
    public static Vector512<float> PermuteVar16x32(Vector512<float> left, Vector512<int> control)
    {
        Span<float> result = stackalloc float[Vector512<float>.Count];
        for (int i = 0; i < result.Length; i++)
        {
            result[i] = left[control[i] & 0xF];
        }

        return Vector512.Create<float>(result);
    }

    /// <summary>VFMADD: a · b + c, rounded once.</summary>
    public static Vector512<float> FusedMultiplyAdd(Vector512<float> a, Vector512<float> b, Vector512<float> c)
    {
        Span<float> result = stackalloc float[Vector512<float>.Count];
        for (int i = 0; i < result.Length; i++)
        {
            result[i] = MathF.FusedMultiplyAdd(a[i], b[i], c[i]);
        }

        return Vector512.Create<float>(result);
    }
}

/// <summary>AVX in software.</summary>
public static class Avx
{
    /// <summary>Everywhere.</summary>
    public static bool IsSupported => true;

    /// <summary>VCVTDQ2PS: integers to floats, rounded to nearest even.</summary>
    public static Vector256<float> ConvertToVector256Single(Vector256<int> value)
    {
        Span<float> result = stackalloc float[Vector256<float>.Count];
        for (int i = 0; i < result.Length; i++)
        {
            result[i] = value[i];
        }

        return Vector256.Create<float>(result);
    }
}

/// <summary>AVX2 in software.</summary>
public static class Avx2
{
    /// <summary>Everywhere.</summary>
    public static bool IsSupported => true;

    /// <summary>VPMADDUBSW: products of unsigned and signed bytes, added in pairs, saturated to 16 bits.</summary>
    public static Vector256<short> MultiplyAddAdjacent(Vector256<byte> left, Vector256<sbyte> right)
    {
        Span<short> result = stackalloc short[Vector256<short>.Count];
        for (int i = 0; i < result.Length; i++)
        {
            int sum = left[2 * i] * right[2 * i] + left[2 * i + 1] * right[2 * i + 1];
            result[i] = (short)Math.Clamp(sum, short.MinValue, short.MaxValue);
        }

        return Vector256.Create<short>(result);
    }

    /// <summary>VPMADDWD: products of 16-bit numbers, added in pairs.</summary>
    public static Vector256<int> MultiplyAddAdjacent(Vector256<short> left, Vector256<short> right)
    {
        Span<int> result = stackalloc int[Vector256<int>.Count];
        for (int i = 0; i < result.Length; i++)
        {
            result[i] = unchecked(left[2 * i] * right[2 * i] + left[2 * i + 1] * right[2 * i + 1]);
        }

        return Vector256.Create<int>(result);
    }
}

/// <summary>AVX-512 BW in software: each half as AVX2 does it.</summary>
public static class Avx512BW
{
    /// <summary>Everywhere.</summary>
    public static bool IsSupported => true;

    /// <inheritdoc cref="Avx2.MultiplyAddAdjacent(Vector256{byte}, Vector256{sbyte})"/>
    public static Vector512<short> MultiplyAddAdjacent(Vector512<byte> left, Vector512<sbyte> right) => Vector512.Create(
        Avx2.MultiplyAddAdjacent(left.GetLower(), right.GetLower()), Avx2.MultiplyAddAdjacent(left.GetUpper(), right.GetUpper()));

    /// <inheritdoc cref="Avx2.MultiplyAddAdjacent(Vector256{short}, Vector256{short})"/>
    public static Vector512<int> MultiplyAddAdjacent(Vector512<short> left, Vector512<short> right) => Vector512.Create(
        Avx2.MultiplyAddAdjacent(left.GetLower(), right.GetLower()), Avx2.MultiplyAddAdjacent(left.GetUpper(), right.GetUpper()));
}

/// <summary>AVX-VNNI in software.</summary>
public static class AvxVnni
{
    /// <summary>Everywhere.</summary>
    public static bool IsSupported => true;

    /// <summary>VPDPBUSD: adds four products of unsigned and signed bytes to each 32-bit sum, without saturation.</summary>
    public static Vector256<int> MultiplyWideningAndAdd(Vector256<int> addend, Vector256<byte> left, Vector256<sbyte> right)
    {
        Span<int> result = stackalloc int[Vector256<int>.Count];
        for (int i = 0; i < result.Length; i++)
        {
            int sum = addend[i];
            for (int j = 4 * i; j < 4 * i + 4; j++)
            {
                sum = unchecked(sum + left[j] * right[j]);
            }

            result[i] = sum;
        }

        return Vector256.Create<int>(result);
    }
}

/// <summary>FMA in software.</summary>
public static class Fma
{
    /// <summary>Everywhere.</summary>
    public static bool IsSupported => true;

    /// <summary>VFMADD: a · b + c, rounded once.</summary>
    public static Vector256<float> MultiplyAdd(Vector256<float> a, Vector256<float> b, Vector256<float> c)
    {
        Span<float> result = stackalloc float[Vector256<float>.Count];
        for (int i = 0; i < result.Length; i++)
        {
            result[i] = MathF.FusedMultiplyAdd(a[i], b[i], c[i]);
        }

        return Vector256.Create<float>(result);
    }
}
