using ILGPU;
using ILGPU.Runtime;
using Q4Gen.Gpu;

namespace Q4Gen.Benchmarks.Gpu;

/// <summary>
/// What the device takes for each of many calls. Had the device nothing to wait for, it would wait for the host between
/// the two events of a short call, and that would be counted; so a long kernel goes first, and the whole queue is there
/// before the first call begins.
/// </summary>
internal sealed class GpuTimer : IDisposable
{
    /// <summary>Turns of the first kernel, one dependent multiply-add each: some milliseconds.</summary>
    private const int HeadStart = 500_000;

    /// <summary>The emulated GPU's clock waits at each mark anyway.</summary>
    private const int EmulatedHeadStart = 10;

    private const int MostAttempts = 3;
    private const int Lengthening = 4;

    private readonly GpuClock _clock;
    private readonly GpuTensor _sink;
    private readonly Action<AcceleratorStream, KernelConfig, ArrayView<int>, int> _spin;

    /// <summary>Times work on a stream.</summary>
    public GpuTimer(GpuStream stream)
    {
        Stream = stream;
        _clock = GpuClock.Create(stream);
        _sink = GpuTensor.Allocate(stream, GpuElement.Float32, 1);
        _sink.View<int>().MemSetToZero(stream.Stream);
        _spin = ((IlgpuKernels)stream.Context.Kernels).Shared<GpuTimer, Action<AcceleratorStream, KernelConfig, ArrayView<int>, int>>(
            static accelerator => accelerator.LoadKernel<ArrayView<int>, int>(Spin));
    }

    /// <summary>The stream.</summary>
    public GpuStream Stream { get; }

    /// <summary>Whether the host kept ahead of the device in every measurement; if not, figures have gaps in them.</summary>
    public bool KeptAhead { get; private set; } = true;

    /// <summary>Microseconds of each of <paramref name="count"/> calls; <paramref name="enqueue"/> enqueues the i-th.</summary>
    public double[] Times(int count, Action<int> enqueue)
    {
        _clock.Reserve(2 * count + 1);
        int turns = Stream.Context.IsEmulated ? EmulatedHeadStart : HeadStart;
        for (int attempt = 1; ; attempt++)
        {
            Stream.Synchronize();
            _spin(Stream.Stream, (1, 1), _sink.View<int>(), turns);
            _clock.Mark(0);
            for (int i = 0; i < count; i++)
            {
                _clock.Mark(2 * i + 1);
                enqueue(i);
                _clock.Mark(2 * i + 2);
            }

            bool isAhead = !_clock.HasPassed(0);
            Stream.Synchronize();
            if (isAhead || attempt == MostAttempts)
            {
                KeptAhead &= isAhead;
                return [.. Enumerable.Range(0, count).Select(i => _clock.Microseconds(2 * i + 1, 2 * i + 2))];
            }

            turns *= Lengthening;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _clock.Dispose();
        _sink.Dispose();
    }

    /// <summary>A chain that no compiler shortens.</summary>
    private static void Spin(ArrayView<int> sink, int turns)
    {
        int value = sink[0];
        for (int turn = 0; turn < turns; turn++)
        {
            value = value * 1664525 + 1013904223;
        }

        sink[0] = value;
    }
}
