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
    public CudaApi Api()
    {
        _api.Bind(_context);
        return _api;
    }

    public override DeviceMemory Allocate(long bytes)
    {
        nint address = Api().Allocate(bytes);
        return address != 0 ? new CudaMemory(this, address, bytes) : throw new OutOfMemoryException();
    }

    public override bool IsOutOfMemory(Exception exception) => exception is OutOfMemoryException;

    public override (long Free, long Total) Memory() => Api().Memory();

    public override DeviceQueue CreateQueue() => new CudaQueue(this, Api().CreateStream());

    public override void Synchronize() => Api().Synchronize();

    // The process may hold the context elsewhere, too; memory of layers and tensors that live on is given back with them.
    public override void Dispose() => _api.Release(_device);
}

/// <summary>Memory from the driver.</summary>
internal sealed class CudaMemory(CudaBackend backend, nint address, long bytes) : DeviceMemory
{
    private nint _address = address;

    public override nint Address => _address;

    public override long Bytes => bytes;

    public override void Dispose()
    {
        nint address = Interlocked.Exchange(ref _address, 0);
        if (address != 0)
        {
            backend.Api().Free(address);
        }
    }
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
