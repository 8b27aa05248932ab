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

/// <summary>AVX2 in software: generated kernels only ask whether it is there.</summary>
public static class Avx2
{
    /// <summary>Everywhere.</summary>
    public static bool IsSupported => true;
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
