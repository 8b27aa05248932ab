using ILGPU;

namespace Q4Gen.Gpu.Kernels;

/// <summary>
/// Brings x into the form that tensor cores take, float16 rows of whole steps, and the results back. A float32 row
/// becomes two: it is scaled by a power of two so that its largest element lies in [2¹⁴, 2¹⁵), then written as
/// <c>high + low · 2⁻¹¹</c>, which keeps 22 bits of what is not far smaller than the largest. Products of each are exact and are
/// summed in float32, so that a float32 layer stays one.
/// </summary>
internal static class Planes
{
    public const int Threads = 256;

    /// <summary>The exponent of the largest element of a scaled row.</summary>
    private const int TargetExponent = 14;

    /// <summary>What a low plane is multiplied with, so that its bits lie where float16 has them.</summary>
    private const float LowScale = 2048;

    private const float LowStep = 1 / LowScale;
    private const int ExponentBits = 23;
    private const int ExponentBias = 127;
    private const int ExponentMask = 0xFF;

    /// <summary>The planes of a row of float32: one thread group a row.</summary>
    /// <param name="x"><c>[rows, in]</c>.</param>
    /// <param name="planes"><c>[2·rows, columns]</c>: high and low in turn, zeros behind the last input.</param>
    /// <param name="exponents"><c>[rows]</c>: what results are to be multiplied with, as a power of two.</param>
    /// <param name="inFeatures">In.</param>
    /// <param name="columns">Columns of a plane: whole steps.</param>
    public static void Split(ArrayView<float> x, ArrayView<ILGPU.Half> planes, ArrayView<int> exponents, int inFeatures, int columns)
    {
        ArrayView<int> warps = SharedMemory.Allocate<int>(Threads / 32);
        int row = Grid.IdxX;
        int thread = Group.IdxX;
        ArrayView<float> source = x.SubView((long)row * inFeatures, inFeatures);
        int largest = 0;
        for (int column = thread; column < inFeatures; column += Threads)
        {
            // Of what is not infinite or no number, which makes the whole row so anyway.
            int exponent = ExponentOf(source[column]);
            largest = exponent == ExponentMask ? largest : IntrinsicMath.Max(largest, exponent);
        }

        for (int distance = 16; distance > 0; distance >>= 1)
        {
            largest = IntrinsicMath.Max(largest, Warp.ShuffleXor(largest, distance));
        }

        if (Warp.LaneIdx == 0)
        {
            warps[thread >> 5] = largest;
        }

        Group.Barrier();
        largest = 1;
        for (int warp = 0; warp < Threads / 32; warp++)
        {
            largest = IntrinsicMath.Max(largest, warps[warp]);
        }

        // In two factors, for one alone may lie outside of float32.
        int shift = TargetExponent - (largest - ExponentBias);
        float first = PowerOfTwo(shift >> 1);
        float second = PowerOfTwo(shift - (shift >> 1));
        ArrayView<ILGPU.Half> highs = planes.SubView(2L * row * columns, columns);
        ArrayView<ILGPU.Half> lows = planes.SubView((2L * row + 1) * columns, columns);
        for (int column = thread; column < columns; column += Threads)
        {
            float value = column < inFeatures ? source[column] * first * second : 0;
            var high = (ILGPU.Half)value;
            highs[column] = high;
            lows[column] = (ILGPU.Half)((value - (float)high) * LowScale);
        }

        if (thread == 0)
        {
            exponents[row] = -shift;
        }
    }

    /// <summary>A row of float16 in whole steps, or at an aligned address: one thread group a row.</summary>
    /// <param name="x"><c>[rows, in]</c>.</param>
    /// <param name="padded"><c>[rows, columns]</c>: zeros behind the last input.</param>
    /// <param name="inFeatures">In.</param>
    /// <param name="columns">Columns of a padded row: whole steps.</param>
    public static void Pad(ArrayView<ILGPU.Half> x, ArrayView<ILGPU.Half> padded, int inFeatures, int columns)
    {
        int row = Grid.IdxX;
        for (int column = Group.IdxX; column < columns; column += Threads)
        {
            padded[(long)row * columns + column] = column < inFeatures ? x[(long)row * inFeatures + column] : (ILGPU.Half)0f;
        }
    }

    /// <summary>Results of two planes made one, with the bias: <c>y = (high + low · 2⁻¹¹) · 2^exponent + bias</c>.</summary>
    /// <param name="results"><c>[2·rows, out]</c>.</param>
    /// <param name="exponents"><c>[rows]</c>.</param>
    /// <param name="bias"><c>[out]</c>.</param>
    /// <param name="y"><c>[rows, out]</c>.</param>
    /// <param name="outFeatures">Out.</param>
    public static void Join<TY>(ArrayView<float> results, ArrayView<int> exponents, ArrayView<float> bias, ArrayView<TY> y, int outFeatures)
        where TY : unmanaged, IActivation<TY>
    {
        int row = Grid.IdxX;
        int shift = exponents[row];
        float first = PowerOfTwo(shift >> 1);
        float second = PowerOfTwo(shift - (shift >> 1));
        for (int output = Group.IdxX; output < outFeatures; output += Threads)
        {
            float high = results[2L * row * outFeatures + output];
            float low = results[(2L * row + 1) * outFeatures + output];
            TY value = default;
            value.Set((high + low * LowStep) * first * second + bias[output]);
            y[(long)row * outFeatures + output] = value;
        }
    }

    /// <summary>Results copied to where vectors cannot be stored, with the bias.</summary>
    /// <param name="results"><c>[rows, out]</c>.</param>
    /// <param name="bias"><c>[out]</c>.</param>
    /// <param name="y"><c>[rows, out]</c>.</param>
    /// <param name="outFeatures">Out.</param>
    public static void Copy<TY>(ArrayView<float> results, ArrayView<float> bias, ArrayView<TY> y, int outFeatures)
        where TY : unmanaged, IActivation<TY>
    {
        int row = Grid.IdxX;
        for (int output = Group.IdxX; output < outFeatures; output += Threads)
        {
            TY value = default;
            value.Set(results[(long)row * outFeatures + output] + bias[output]);
            y[(long)row * outFeatures + output] = value;
        }
    }

    private static int ExponentOf(float value) => (int)((Interop.FloatAsInt(value) >> ExponentBits) & ExponentMask);

    private static float PowerOfTwo(int exponent) => Interop.IntAsFloat((uint)((exponent + ExponentBias) << ExponentBits));
}
