using ILGPU.Runtime;

namespace Q4Gen.Gpu;

/// <summary>
/// Work in order on one GPU: copies and kernels, each after the one before. Memory that is released on a stream is used
/// again on the same stream only, so that nothing needs to wait for what is still running.
/// </summary>
public sealed class GpuStream : IDisposable
{
    private int _isClosed;

    internal GpuStream(GpuContext context, DeviceQueue queue)
    {
        Context = context;
        Queue = queue;
        Pool = new GpuPool(this);
    }

    /// <summary>The GPU.</summary>
    public GpuContext Context { get; }

    /// <summary>ILGPU's side of it, for kernels of one's own.</summary>
    /// <exception cref="InvalidOperationException">The program was built with <c>Q4GenPtx</c> and runs without ILGPU.</exception>
    public AcceleratorStream Stream => (Queue as IlgpuQueue)?.Stream ?? throw GpuContext.WithoutIlgpu();

    internal DeviceQueue Queue { get; }

    internal GpuPool Pool { get; }

    /// <summary>Waits for all work up to here.</summary>
    public void Synchronize() => Queue.Synchronize();

    /// <inheritdoc cref="GpuGraph.Capture"/>
    public GpuGraph Capture(Action work) => GpuGraph.Capture(this, work);

    /// <summary>Waits for all work, and gives back what memory the stream holds.</summary>
    public void Dispose()
    {
        Context.Remove(this);
        Close();
    }

    internal void Close()
    {
        if (Interlocked.Exchange(ref _isClosed, 1) == 0)
        {
            Queue.Synchronize();
            Pool.Close();
            Queue.Dispose();
        }
    }
}
