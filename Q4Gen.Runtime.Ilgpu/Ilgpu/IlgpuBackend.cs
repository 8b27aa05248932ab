using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using ILGPU.Runtime.Cuda;

namespace Q4Gen.Gpu;

/// <summary>A GPU through ILGPU, which compiles kernels while the program runs; or one that ILGPU emulates.</summary>
internal sealed class IlgpuBackend : DeviceBackend
{
    /// <summary>Threads of an emulated warp and the most of an emulated group: as on NVIDIA's processors.</summary>
    private const CPUDeviceKind Emulated = CPUDeviceKind.Nvidia;

    private readonly Context _context;
    private readonly IlgpuKernels _kernels;

    static IlgpuBackend() => CudaDriver.ResolveFor(typeof(Context).Assembly);

    private IlgpuBackend(Context context, Accelerator accelerator)
    {
        _context = context;
        Accelerator = accelerator;
        _kernels = new IlgpuKernels(accelerator);
    }

    public Accelerator Accelerator { get; }

    public override bool IsEmulated => Accelerator.AcceleratorType == AcceleratorType.CPU;

    public override bool HasTensorCores => Accelerator is CudaAccelerator { Architecture.Major: >= 8 };

    public override DeviceKernels Kernels => _kernels;

    /// <summary>Opens a CUDA device.</summary>
    /// <exception cref="GpuUnavailableException">ILGPU does not take it.</exception>
    public static IlgpuBackend Open(GpuDevice device)
    {
        Context context = Context.Create(static builder => builder.Cuda().Optimize(OptimizationLevel.O2));
        try
        {
            CudaDevice known = context.Devices.OfType<CudaDevice>().FirstOrDefault(other => other.DeviceId == device.Index)
                ?? throw new GpuUnavailableException(
                    $"CUDA device {device} is there, but ILGPU {typeof(Context).Assembly.GetName().Version} does not take it: it may be newer, or older, than what ILGPU knows.");
            return new IlgpuBackend(context, known.CreateCudaAccelerator(context));
        }
        catch
        {
            context.Dispose();
            throw;
        }
    }

    /// <summary>Emulates a device.</summary>
    public static IlgpuBackend Emulate()
    {
        Context context = Context.Create(static builder => builder.CPU(Emulated).Optimize(OptimizationLevel.O2));
        return new IlgpuBackend(context, context.CreateCPUAccelerator(0));
    }

    public override DeviceMemory Allocate(long bytes) => new IlgpuMemory(Accelerator.Allocate1D<byte>(bytes));

    public override bool IsOutOfMemory(Exception exception) => exception is AcceleratorException or OutOfMemoryException;

    public override (long Free, long Total) Memory()
    {
        if (Accelerator is CudaAccelerator cuda)
        {
            return (cuda.GetFreeMemory(), cuda.MemorySize);
        }

        GCMemoryInfo memory = GC.GetGCMemoryInfo();
        return (Math.Max(0, memory.TotalAvailableMemoryBytes - memory.MemoryLoadBytes), memory.TotalAvailableMemoryBytes);
    }

    public override DeviceQueue CreateQueue() => new IlgpuQueue(Accelerator.CreateStream());

    public override void Synchronize() => Accelerator.Synchronize();

    public override void Dispose()
    {
        Accelerator.Dispose();
        _context.Dispose();
    }
}

/// <summary>A buffer of ILGPU's.</summary>
internal sealed class IlgpuMemory(MemoryBuffer1D<byte, Stride1D.Dense> buffer) : DeviceMemory
{
    public override nint Address => buffer.NativePtr;

    public override long Bytes => buffer.Length;

    /// <summary>Some of its bytes, as kernels in C# take them.</summary>
    public ArrayView<byte> View(long first, long bytes) => buffer.View.BaseView.SubView(first, bytes);

    public override void Dispose() => buffer.Dispose();
}

/// <summary>A stream of ILGPU's.</summary>
internal sealed unsafe class IlgpuQueue(AcceleratorStream stream) : DeviceQueue
{
    public AcceleratorStream Stream => stream;

    public override nint? BoundHandle()
    {
        if (stream is not CudaStream cuda)
        {
            return null;
        }

        cuda.Accelerator.Bind();
        return cuda.StreamPtr;
    }

    public override void CopyIn(nint host, DeviceRange target) =>
        target.View<byte>().CopyFromCPUUnsafeAsync(stream, ref Unsafe.AsRef<byte>((void*)host), target.Bytes);

    public override void CopyOut(DeviceRange source, nint host) =>
        source.View<byte>().CopyToCPUUnsafeAsync(stream, ref Unsafe.AsRef<byte>((void*)host), source.Bytes);

    public override void Synchronize() => stream.Synchronize();

    public override void Dispose() => stream.Dispose();
}

/// <summary>A device's memory as ILGPU's kernels take it.</summary>
internal static class IlgpuViews
{
    /// <summary>The elements; none where there is no memory.</summary>
    public static ArrayView<T> View<T>(this DeviceRange range)
        where T : unmanaged => range.Memory is IlgpuMemory memory ? memory.View(range.First, range.Bytes).Cast<T>() : default;
}
