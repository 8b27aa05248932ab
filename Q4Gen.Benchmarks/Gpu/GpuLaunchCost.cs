using System.Diagnostics;
using Q4Gen.Benchmarks.Machine;
using Q4Gen.Gpu;

namespace Q4Gen.Benchmarks.Gpu;

/// <summary>What a call costs the host: one row, float16 in and out, output that is there already.</summary>
/// <param name="UsPerForward">Microseconds until <c>Forward</c> returns; the device may still be computing.</param>
/// <param name="BytesPerForward">Bytes of managed memory that a call allocates.</param>
internal sealed record GpuLaunchCost(double UsPerForward, double BytesPerForward)
{
    /// <summary>Calls without waiting; a device's queue, which is of about a thousand, holds them.</summary>
    private const int CallsPerBatch = 200;

    private const int Batches = 25;
    private const int WarmUpBatches = 5;

    /// <summary>Measures with a layer that was brought to the stream's GPU.</summary>
    public static GpuLaunchCost Measure(GpuStream stream, Linear4Bit layer, int batches = Batches, int callsPerBatch = CallsPerBatch)
    {
        using GpuTensor x = GpuTensor.Allocate(stream, GpuElement.Float16, 1, layer.In);
        using GpuTensor y = GpuTensor.Allocate(stream, GpuElement.Float16, 1, layer.Out);
        x.Upload(new Half[layer.In]);
        var microseconds = new double[batches];
        long allocated = 0;
        for (int batch = -Math.Min(WarmUpBatches, batches); batch < batches; batch++)
        {
            if (batch == 0)
            {
                // The first batches are compiled as they run, and compiled better after a while.
                Thread.Sleep(200);
                Batch(ref allocated);
                allocated = 0;
            }

            double one = Batch(ref allocated);
            if (batch >= 0)
            {
                microseconds[batch] = one;
            }
        }

        return new GpuLaunchCost(Spread.Of(microseconds).Median, allocated / (double)batches / callsPerBatch);

        double Batch(ref long allocatedBytes)
        {
            stream.Synchronize();
            long before = GC.GetAllocatedBytesForCurrentThread();
            long start = Stopwatch.GetTimestamp();
            for (int call = 0; call < callsPerBatch; call++)
            {
                layer.Forward(x, y);
            }

            double elapsed = Stopwatch.GetElapsedTime(start).TotalMicroseconds;
            allocatedBytes += GC.GetAllocatedBytesForCurrentThread() - before;
            stream.Synchronize();
            return elapsed / callsPerBatch;
        }
    }
}
