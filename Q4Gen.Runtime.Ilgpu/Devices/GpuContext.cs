using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using ILGPU.Runtime.Cuda;

namespace Q4Gen.Gpu;

/// <summary>
/// One GPU: its streams, its memory, and the kernels that were compiled for it. Any number of threads may use one
/// context at once. Disposing it gives back all memory; tensors and layers on it can no longer be used.
/// </summary>
public sealed class GpuContext : IDisposable
{
    /// <summary>Threads of an emulated warp and the most of an emulated group: as on NVIDIA's processors.</summary>
    private const CPUDeviceKind Emulated = CPUDeviceKind.Nvidia;

    private readonly Context _context;
    private readonly List<GpuStream> _streams = [];
    private readonly Lock _lock = new();
    private bool _isDisposed;

    static GpuContext() => CudaDriver.ResolveFor(typeof(Context).Assembly);

    private GpuContext(Context context, Accelerator accelerator, string name)
    {
        _context = context;
        Accelerator = accelerator;
        Name = name;
        Kernels = new GpuKernelCache(this);
        DefaultStream = CreateStream();
    }

    /// <summary>What it runs on, as messages name it.</summary>
    public string Name { get; }

    /// <summary>Whether kernels run on the processor, thread by thread as a GPU would run them: for tests.</summary>
    public bool IsEmulated => Accelerator.AcceleratorType == AcceleratorType.CPU;

    /// <summary>The stream that everything goes to for which no other is named.</summary>
    public GpuStream DefaultStream { get; }

    /// <summary>ILGPU's side of it, for kernels of one's own.</summary>
    public Accelerator Accelerator { get; }

    /// <summary>Whether kernels for tensor cores run on it, which need compute capability 8.0.</summary>
    public bool HasTensorCores => Accelerator is CudaAccelerator { Architecture.Major: >= 8 };

    /// <summary>The kernels that were loaded here, held because ILGPU's own cache lets go of them.</summary>
    internal GpuKernelCache Kernels { get; }

    /// <summary>The CUDA devices of this machine.</summary>
    /// <exception cref="GpuUnavailableException">There is none; the message says why.</exception>
    public static IReadOnlyList<GpuDevice> Devices() => CudaDriver.Devices();

    /// <summary>Opens a CUDA device.</summary>
    /// <param name="index">Its index; where nothing is said, the one of the newest architecture, with the most multiprocessors.</param>
    /// <exception cref="GpuUnavailableException">There is no such device; the message says why, and what to do.</exception>
    public static GpuContext Create(int? index = null)
    {
        IReadOnlyList<GpuDevice> devices = Devices();
        GpuDevice device = Choose(devices, index);
        Context context = Context.Create(static builder => builder.Cuda().Optimize(OptimizationLevel.O2));
        try
        {
            CudaDevice? known = context.Devices.OfType<CudaDevice>().FirstOrDefault(other => other.DeviceId == device.Index);
            if (known is null)
            {
                throw new GpuUnavailableException(
                    $"CUDA device {device} is there, but ILGPU {typeof(Context).Assembly.GetName().Version} does not take it: it may be newer, or older, than what ILGPU knows.");
            }

            return new GpuContext(context, known.CreateCudaAccelerator(context), $"CUDA device {device.Index} ({device.Name})");
        }
        catch
        {
            context.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Emulates a GPU with warps of 32 threads on the processor: slow, for tests of small shapes. Kernels that use tensor
    /// cores do not run there.
    /// </summary>
    public static GpuContext CreateEmulated()
    {
        Context context = Context.Create(static builder => builder.CPU(Emulated).Optimize(OptimizationLevel.O2));
        return new GpuContext(context, context.CreateCPUAccelerator(0), "the emulated GPU");
    }

    /// <summary>A stream of its own: work on it runs in order, and beside that of others.</summary>
    /// <exception cref="ObjectDisposedException">The context is disposed.</exception>
    public GpuStream CreateStream()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            var stream = new GpuStream(this, Accelerator.CreateStream());
            _streams.Add(stream);
            return stream;
        }
    }

    /// <summary>Bytes that are free and that there are. An emulated GPU has as many as the process can have.</summary>
    public (long Free, long Total) Memory()
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        if (Accelerator is CudaAccelerator cuda)
        {
            return (cuda.GetFreeMemory(), cuda.MemorySize);
        }

        GCMemoryInfo memory = GC.GetGCMemoryInfo();
        return (Math.Max(0, memory.TotalAvailableMemoryBytes - memory.MemoryLoadBytes), memory.TotalAvailableMemoryBytes);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_isDisposed)
            {
                return;
            }

            _isDisposed = true;
            _streams.ForEach(static stream => stream.Close());
            _streams.Clear();
        }

        Accelerator.Dispose();
        _context.Dispose();
    }

    /// <inheritdoc/>
    public override string ToString() => Name;

    /// <summary>The device of an index, or the best one.</summary>
    internal static GpuDevice Choose(IReadOnlyList<GpuDevice> devices, int? index)
    {
        if (index is null)
        {
            return devices.OrderByDescending(static d => (d.Major, d.Minor)).ThenByDescending(static d => d.Multiprocessors).ThenBy(static d => d.Index).First();
        }

        return devices.FirstOrDefault(device => device.Index == index) ?? throw new GpuUnavailableException(
            $"There is no CUDA device {index}. There {(devices.Count == 1 ? "is" : "are")}: {string.Join("; ", devices)}.");
    }

    /// <summary>Memory of so many bytes, which belongs to no stream.</summary>
    /// <exception cref="GpuOutOfMemoryException">The device has not as many.</exception>
    internal MemoryBuffer1D<byte, Stride1D.Dense> Allocate(long bytes)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        try
        {
            return Accelerator.Allocate1D<byte>(bytes);
        }
        catch (Exception first) when (IsOutOfMemory(first))
        {
            // What streams keep for later is of more use here.
            Accelerator.Synchronize();
            Trim();
            try
            {
                return Accelerator.Allocate1D<byte>(bytes);
            }
            catch (Exception second) when (IsOutOfMemory(second))
            {
                (long free, long total) = Memory();
                throw new GpuOutOfMemoryException(Name, bytes, free, total, second);
            }
        }
    }

    /// <summary>A stream takes itself off the list.</summary>
    internal void Remove(GpuStream stream)
    {
        lock (_lock)
        {
            _streams.Remove(stream);
        }
    }

    /// <summary>What streams hold for later, given back to the device.</summary>
    private void Trim()
    {
        GpuStream[] streams;
        lock (_lock)
        {
            streams = [.. _streams];
        }

        foreach (GpuStream stream in streams)
        {
            stream.Pool.Trim();
        }
    }

    private static bool IsOutOfMemory(Exception exception) => exception is AcceleratorException or OutOfMemoryException;
}
