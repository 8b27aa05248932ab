using System.Collections.Concurrent;
using System.ComponentModel;

namespace Q4Gen.Gpu.Kernels;

/// <summary>
/// The GPU kernels of this program by shape. An assembly registers its own when it is first used, and nothing of them is
/// loaded, ILGPU neither, before a layer is brought to a GPU.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class GpuKernelRegistry
{
    private static readonly ConcurrentDictionary<Linear4BitShape, Func<GpuKernelFamily>> s_families = new();
    private static readonly ConcurrentDictionary<Linear4BitShape, Func<PtxKernelFamily>> s_ptxFamilies = new();

    /// <summary>Adds a generated family; the first of a shape stays.</summary>
    /// <param name="shape">Its shape.</param>
    /// <param name="family">Gets it, when it is asked for.</param>
    public static void Register(Linear4BitShape shape, Func<GpuKernelFamily> family)
    {
        ArgumentNullException.ThrowIfNull(family);
        s_families.TryAdd(shape, family);
    }

    /// <inheritdoc cref="Register(Linear4BitShape, Func{GpuKernelFamily})"/>
    public static void Register(Linear4BitShape shape, Func<PtxKernelFamily> family)
    {
        ArgumentNullException.ThrowIfNull(family);
        s_ptxFamilies.TryAdd(shape, family);
    }

    /// <summary>The generated family of a shape that ILGPU compiles, or null.</summary>
    internal static GpuKernelFamily? Find(Linear4BitShape shape) => s_families.GetValueOrDefault(shape)?.Invoke();

    /// <summary>Whether there is one, without loading it.</summary>
    internal static bool Has(Linear4BitShape shape) => s_families.ContainsKey(shape);

    /// <summary>The generated family of a shape in PTX, or null.</summary>
    internal static PtxKernelFamily? FindPtx(Linear4BitShape shape) => s_ptxFamilies.GetValueOrDefault(shape)?.Invoke();
}
