using ILGPU.Runtime;
using Q4Gen.Benchmarks.Machine;
using Q4Gen.Gpu;

namespace Q4Gen.Benchmarks.Gpu;

/// <summary>How fast the device copies its own memory: what reading weights is measured against.</summary>
internal static class GpuCopy
{
    /// <summary>Bytes that are copied; no cache holds a share of them that counts.</summary>
    public const long Bytes = 1L << 30;

    /// <summary>Copies of which the median is taken.</summary>
    public const int Copies = 20;

    /// <summary>Long enough for the clocks to come up from idle.</summary>
    private const int WarmUps = 10 * Copies;

    /// <summary>Bytes read and written a second.</summary>
    public static double BytesPerSecond(GpuTimer timer, long bytes = Bytes, int warmUps = WarmUps)
    {
        int count = checked((int)(bytes / sizeof(float)));
        using GpuTensor source = GpuTensor.Allocate(timer.Stream, GpuElement.Float32, count);
        using GpuTensor target = GpuTensor.Allocate(timer.Stream, GpuElement.Float32, count);
        source.View<byte>().MemSet(timer.Stream.Stream, 0x5A);
        for (int i = 0; i < warmUps; i++)
        {
            Copy();
        }

        return 2 * bytes / Spread.Of(timer.Times(Copies, _ => Copy())).Median * 1e6;

        void Copy() => source.View<byte>().CopyTo(timer.Stream.Stream, target.View<byte>());
    }
}
