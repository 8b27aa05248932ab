using Q4Gen.Kernels;

namespace Q4Gen.Reference;

internal static class Unpacked
{
    public static void Forward(PackedWeights weights, ReadOnlySpan<float> x, Span<float> y) => throw new NotImplementedException();
}
