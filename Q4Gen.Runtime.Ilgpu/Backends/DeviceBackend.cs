namespace Q4Gen.Gpu;

/// <summary>
/// Who drives a GPU: ILGPU, which compiles kernels while a program runs, or CUDA's driver alone with kernels that were
/// compiled when the program was built. Everything in front of it is the same for both.
/// </summary>
internal abstract class DeviceBackend : IDisposable
{
    /// <summary>Whether kernels run on the processor, thread by thread.</summary>
    public abstract bool IsEmulated { get; }

    /// <summary>Whether kernels for tensor cores run.</summary>
    public abstract bool HasTensorCores { get; }

    /// <summary>The kernels.</summary>
    public abstract DeviceKernels Kernels { get; }

    /// <summary>Memory; an exception that <see cref="IsOutOfMemory"/> knows where there is not enough.</summary>
    public abstract DeviceMemory Allocate(long bytes);

    /// <summary>Whether an exception of <see cref="Allocate"/> says that memory is short.</summary>
    public abstract bool IsOutOfMemory(Exception exception);

    /// <summary>Bytes that are free and that there are.</summary>
    public abstract (long Free, long Total) Memory();

    /// <summary>A queue of its own.</summary>
    public abstract DeviceQueue CreateQueue();

    /// <summary>Waits for all queues.</summary>
    public abstract void Synchronize();

    /// <inheritdoc/>
    public abstract void Dispose();
}
