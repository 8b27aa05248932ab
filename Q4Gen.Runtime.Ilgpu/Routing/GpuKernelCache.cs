using System.Collections.Concurrent;
using ILGPU;
using ILGPU.Runtime;
using Q4Gen.Gpu.Kernels;

namespace Q4Gen.Gpu;

/// <summary>The kernels that one GPU has loaded: each is compiled when it is first asked for, and stays.</summary>
internal sealed class GpuKernelCache(GpuContext context)
{
    private readonly ConcurrentDictionary<Linear4BitShape, GpuLayerKernels> _layers = new();
    private readonly ConcurrentDictionary<Type, Delegate> _shared = new();
    private readonly Lock _lock = new();

    public Accelerator Accelerator => context.Accelerator;

    /// <summary>The kernels of a shape.</summary>
    public GpuLayerKernels Of(Linear4BitShape shape) => _layers.GetOrAdd(
        shape, static (shape, cache) => new GpuLayerKernels(cache, shape, GpuKernelRegistry.Find(shape)), this);

    /// <summary>Compiles a kernel, one at a time; ILGPU's compiler is not for many threads.</summary>
    public T Load<T>(Func<Accelerator, T> load)
    {
        lock (_lock)
        {
            return load(Accelerator);
        }
    }

    /// <summary>A kernel that all shapes share, by the type of its launcher's owner.</summary>
    public T Shared<TOwner, T>(Func<Accelerator, T> load)
        where T : Delegate =>
        (T)(_shared.TryGetValue(typeof((TOwner, T)), out Delegate? known)
            ? known
            : _shared.GetOrAdd(typeof((TOwner, T)), Load(load)));
}
