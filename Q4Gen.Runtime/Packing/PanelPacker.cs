using Q4Gen.Kernels;

namespace Q4Gen.Packing;

internal static class PanelPacker
{
    public static PackedWeights Pack(Linear4BitShape shape, ReadOnlySpan<byte> weight4Bit, ReadOnlySpan<Half> scales4Bit, ReadOnlySpan<float> bias) =>
        throw new NotImplementedException();
}
