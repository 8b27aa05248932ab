namespace Q4Gen.Gpu;

/// <summary>What a stream is on a device: copies and kernels in order.</summary>
internal abstract class DeviceQueue : IDisposable
{
    /// <summary>The stream as CUDA's driver knows it, for calls of its own from this thread; null where there is no driver.</summary>
    public abstract nint? BoundHandle();

    /// <summary>Queues a copy from host memory, which must stay as it is until the queue is through with it.</summary>
    public abstract void CopyIn(nint host, DeviceRange target);

    /// <summary>Queues a copy to host memory.</summary>
    public abstract void CopyOut(DeviceRange source, nint host);

    /// <summary>Waits for all that was queued.</summary>
    public abstract void Synchronize();

    /// <inheritdoc/>
    public abstract void Dispose();
}
