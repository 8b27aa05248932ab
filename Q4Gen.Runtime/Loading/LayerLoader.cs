using Q4Gen.Kernels;

namespace Q4Gen.Loading;

internal static class LayerLoader
{
    public static PackedWeights Load(IWeightSource weights, string prefix, int? group) => throw new NotImplementedException();

    public static PackedWeights Load(IWeightSource weights, string prefix, Linear4BitShape shape, bool hasBias) => throw new NotImplementedException();
}
