using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using ILGPU.Runtime;

namespace Q4Gen.Gpu;

/// <summary>
/// One GPU: its streams, its memory, and the kernels that were compiled for it. Any number of threads may use one
/// context at once. Disposing it gives back all memory; tensors and layers on it can no longer be used.
/// </summary>
public sealed class GpuContext : IDisposable
{
    private readonly DeviceBackend _backend;
    private readonly List<GpuStream> _streams = [];
    private readonly Lock _lock = new();
    private bool _isDisposed;

    internal GpuContext(DeviceBackend backend, string name)
    {
        _backend = backend;
        Name = name;
        DefaultStream = CreateStream();
    }

    /// <summary>What it runs on, as messages name it.</summary>
    public string Name { get; }

    /// <summary>Whether kernels run on the processor, thread by thread as a GPU would run them: for tests.</summary>
    public bool IsEmulated => _backend.IsEmulated;

    /// <summary>The stream that everything goes to for which no other is named.</summary>
    public GpuStream DefaultStream { get; }

    /// <summary>ILGPU's side of it, for kernels of one's own.</summary>
    /// <exception cref="InvalidOperationException">The program was built with <c>Q4GenPtx</c> and runs without ILGPU.</exception>
    public Accelerator Accelerator => (_backend as IlgpuBackend)?.Accelerator ?? throw WithoutIlgpu();

    /// <summary>Whether kernels for tensor cores run on it, which need compute capability 8.0.</summary>
    public bool HasTensorCores => _backend.HasTensorCores;

    /// <summary>
    /// Whether ILGPU compiles kernels while the program runs. A program that is built with the MSBuild property <c>Q4GenPtx</c>
    /// has them in PTX, and none of ILGPU: its build sets the switch, and NativeAOT leaves ILGPU out.
    /// </summary>
    [FeatureSwitchDefinition("Q4Gen.Gpu.UseIlgpu")]
    internal static bool UsesIlgpu => !AppContext.TryGetSwitch("Q4Gen.Gpu.UseIlgpu", out bool isOn) || isOn;

    /// <summary>The kernels that run here.</summary>
    internal DeviceKernels Kernels => _backend.Kernels;

    /// <summary>The CUDA devices of this machine.</summary>
    /// <exception cref="GpuUnavailableException">There is none; the message says why.</exception>
    public static IReadOnlyList<GpuDevice> Devices() => CudaDriver.Devices();

    /// <summary>Opens a CUDA device.</summary>
    /// <param name="index">Its index; where nothing is said, the one of the newest architecture, with the most multiprocessors.</param>
    /// <exception cref="GpuUnavailableException">There is no such device; the message says why, and what to do.</exception>
    public static GpuContext Create(int? index = null)
    {
        GpuDevice device = Choose(Devices(), index);
        if (UsesIlgpu && !RuntimeFeature.IsDynamicCodeSupported)
        {
            throw new GpuUnavailableException(
                "ILGPU compiles kernels while a program runs, which a native executable cannot do; publish it with the MSBuild property Q4GenPtx, for instance '<Q4GenPtx>sm_80</Q4GenPtx>'.");
        }

        return new GpuContext(
            UsesIlgpu ? IlgpuBackend.Open(device) : CudaBackend.Open(new CudaApi(CudaDriver.Export), device), $"CUDA device {device.Index} ({device.Name})");
    }

    /// <summary>
    /// Emulates a GPU with warps of 32 threads on the processor: slow, for tests of small shapes. Kernels that use tensor
    /// cores do not run there.
    /// </summary>
    /// <exception cref="InvalidOperationException">The program was built with <c>Q4GenPtx</c> and runs without ILGPU.</exception>
    public static GpuContext CreateEmulated() => UsesIlgpu ? new GpuContext(IlgpuBackend.Emulate(), "the emulated GPU") : throw WithoutIlgpu();

    /// <summary>A stream of its own: work on it runs in order, and beside that of others.</summary>
    /// <exception cref="ObjectDisposedException">The context is disposed.</exception>
    public GpuStream CreateStream()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            var stream = new GpuStream(this, _backend.CreateQueue());
            _streams.Add(stream);
            return stream;
        }
    }

    /// <summary>Bytes that are free and that there are. An emulated GPU has as many as the process can have.</summary>
    public (long Free, long Total) Memory()
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        return _backend.Memory();
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

        _backend.Dispose();
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
    internal DeviceMemory Allocate(long bytes)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        try
        {
            return _backend.Allocate(bytes);
        }
        catch (Exception first) when (_backend.IsOutOfMemory(first))
        {
            // What streams keep for later is of more use here.
            _backend.Synchronize();
            Trim();
            try
            {
                return _backend.Allocate(bytes);
            }
            catch (Exception second) when (_backend.IsOutOfMemory(second))
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

    internal static InvalidOperationException WithoutIlgpu() => new(
        "This program was built with the MSBuild property Q4GenPtx and runs without ILGPU; remove the property for what needs it: emulated GPUs, and kernels of your own.");
}
