using System.Globalization;

namespace Q4Gen.Gpu;

/// <summary>A GPU through CUDA's driver alone, for kernels that were compiled to PTX when the program was built.</summary>
internal sealed class CudaBackend : DeviceBackend
{
    /// <summary>The oldest device that the kernels are written for: <c>mma.sync</c> with these shapes and <c>cp.async</c>.</summary>
    private const int OldestTarget = 80;

    private readonly CudaApi _api;
    private readonly int _device;
    private readonly nint _context;
    private readonly HashSet<CudaMemory> _memory = [];
    private readonly Lock _lock = new();
    private bool _isDisposed;

    private CudaBackend(CudaApi api, int device, nint context, int target)
    {
        _api = api;
        _device = device;
        _context = context;
        Kernels = new PtxKernels(this, target);
    }

    public override bool IsEmulated => false;

    public override bool HasTensorCores => true;

    public override DeviceKernels Kernels { get; }

    /// <summary>Opens a device.</summary>
    /// <exception cref="GpuUnavailableException">It is too old.</exception>
    /// <exception cref="GpuFaultException">The driver does not open it.</exception>
    public static CudaBackend Open(CudaApi api, GpuDevice device)
    {
        int target = device.Major * 10 + device.Minor;
        if (target < OldestTarget)
        {
            throw new GpuUnavailableException(string.Create(
                CultureInfo.InvariantCulture,
                $"CUDA device {device} is too old for this program, which has its kernels in PTX for compute capability 8.0 and newer; build it without the MSBuild property Q4GenPtx to use this device through ILGPU."));
        }

        int handle = api.Device(device.Index);
        return new CudaBackend(api, handle, api.Retain(handle), target);
    }

    /// <summary>The driver, with this thread bound to the device.</summary>
    /// <exception cref="ObjectDisposedException">The context is disposed.</exception>
    public CudaApi Api()
    {
        ObjectDisposedException.ThrowIf(_isDisposed, typeof(GpuContext));
        _api.Bind(_context);
        return _api;
    }

    public override DeviceMemory Allocate(long bytes)
    {
        nint address = Api().Allocate(bytes);
        if (address == 0)
        {
            throw new OutOfMemoryException();
        }

        var memory = new CudaMemory(this, address, bytes);
        lock (_lock)
        {
            _memory.Add(memory);
        }

        return memory;
    }

    /// <summary>Frees memory; nothing where it is free already, or was given back with all the rest.</summary>
    public void Free(CudaMemory memory)
    {
        lock (_lock)
        {
            if (_memory.Remove(memory))
            {
                Api().Free(memory.Address);
            }
        }
    }

    public override bool IsOutOfMemory(Exception exception) => exception is OutOfMemoryException;

    public override (long Free, long Total) Memory() => Api().Memory();

    public override DeviceQueue CreateQueue() => new CudaQueue(this, Api().CreateStream());

    public override void Synchronize() => Api().Synchronize();

    // All memory: the process may hold CUDA's context elsewhere, too, and then nothing would be freed with it.
    public override void Dispose()
    {
        lock (_lock)
        {
            foreach (CudaMemory memory in _memory)
            {
                Api().Free(memory.Address);
            }

            _memory.Clear();
            _isDisposed = true;
        }

        _api.Release(_device);
    }
}

/// <summary>Memory from the driver.</summary>
internal sealed class CudaMemory(CudaBackend backend, nint address, long bytes) : DeviceMemory
{
    public override nint Address => address;

    public override long Bytes => bytes;

    public override void Dispose() => backend.Free(this);
}

/// <summary>A stream of the driver's.</summary>
internal sealed class CudaQueue(CudaBackend backend, nint stream) : DeviceQueue
{
    public nint Stream => stream;

    public override nint? BoundHandle()
    {
        backend.Api();
        return stream;
    }

    public override void CopyIn(nint host, DeviceRange target) => backend.Api().CopyIn(target.Address, host, target.Bytes, stream);

    public override void CopyOut(DeviceRange source, nint host) => backend.Api().CopyOut(host, source.Address, source.Bytes, stream);

    public override void Synchronize() => backend.Api().Synchronize(stream);

    public override void Dispose() => backend.Api().DestroyStream(stream);
}
