using System.Diagnostics;
using ILGPU.Runtime.Cuda;
using Q4Gen.Gpu;

namespace Q4Gen.Benchmarks.Gpu;

/// <summary>Marks in a stream, and the time between them.</summary>
internal abstract class GpuClock(GpuStream stream) : IDisposable
{
    /// <summary>The stream.</summary>
    protected GpuStream Stream => stream;

    /// <summary>CUDA's events, or for the emulated GPU the host's clock.</summary>
    public static GpuClock Create(GpuStream stream) => stream.Stream is CudaStream cuda ? new Cuda(stream, cuda) : new Host(stream);

    /// <summary>Makes so many marks possible.</summary>
    public abstract void Reserve(int count);

    /// <summary>Queues a mark.</summary>
    public abstract void Mark(int index);

    /// <summary>Whether the stream's work has come to a mark.</summary>
    public abstract bool HasPassed(int index);

    /// <summary>Microseconds between two marks, once all work is done.</summary>
    public abstract double Microseconds(int from, int to);

    /// <inheritdoc/>
    public virtual void Dispose()
    {
    }

    /// <summary>CUDA Driver API reference, "Event Management". Of half a microsecond's resolution.</summary>
    private sealed class Cuda(GpuStream stream, CudaStream cuda) : GpuClock(stream)
    {
        private readonly List<nint> _events = [];

        public override void Reserve(int count)
        {
            // The driver's calls go to the device that this thread is bound to.
            Stream.Context.Accelerator.Bind();
            while (_events.Count < count)
            {
                CudaException.ThrowIfFailed(CudaAPI.CurrentAPI.CreateEvent(out nint created, CudaEventFlags.CU_EVENT_DEFAULT));
                _events.Add(created);
            }
        }

        public override void Mark(int index) => CudaException.ThrowIfFailed(CudaAPI.CurrentAPI.RecordEvent(_events[index], cuda.StreamPtr));

        public override bool HasPassed(int index)
        {
            CudaError error = CudaAPI.CurrentAPI.QueryEvent(_events[index]);
            if (error == CudaError.CUDA_ERROR_NOT_READY)
            {
                return false;
            }

            CudaException.ThrowIfFailed(error);
            return true;
        }

        public override double Microseconds(int from, int to)
        {
            CudaException.ThrowIfFailed(CudaAPI.CurrentAPI.ElapsedTime(out float milliseconds, _events[from], _events[to]));
            return milliseconds * 1e3;
        }

        public override void Dispose()
        {
            foreach (nint one in _events)
            {
                // Where the device is gone, so are they.
                _ = CudaAPI.CurrentAPI.DestroyEvent(one);
            }

            _events.Clear();
        }
    }

    /// <summary>Waits at each mark.</summary>
    private sealed class Host(GpuStream stream) : GpuClock(stream)
    {
        private long[] _times = [];

        public override void Reserve(int count) => Array.Resize(ref _times, Math.Max(count, _times.Length));

        public override void Mark(int index)
        {
            Stream.Synchronize();
            _times[index] = Stopwatch.GetTimestamp();
        }

        public override bool HasPassed(int index) => false;

        public override double Microseconds(int from, int to) => Stopwatch.GetElapsedTime(_times[from], _times[to]).TotalMicroseconds;
    }
}
