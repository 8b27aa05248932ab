using System.Collections.Concurrent;
using System.ComponentModel;

namespace Q4Gen.Kernels;

/// <summary>
/// The kernel families of this program by shape and precision. An assembly with generated kernels registers them when it is first
/// used; a shape that nobody registered gets a generic family.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class KernelRegistry
{
    private static readonly ConcurrentDictionary<(Linear4BitShape, Linear4BitPrecision), KernelFamily> s_families = new();

    /// <summary>Adds a generated family; the first of a shape stays.</summary>
    public static void Register(KernelFamily family)
    {
        ArgumentNullException.ThrowIfNull(family);
        s_families.TryAdd((family.Shape, family.Precision), family);
    }

    /// <summary>The generated family of a shape, or a generic one.</summary>
    public static KernelFamily Find(Linear4BitShape shape, Linear4BitPrecision precision = Linear4BitPrecision.Exact)
    {
        if (s_families.TryGetValue((shape, precision), out KernelFamily? family))
        {
            return family;
        }

        shape.Validate();
        return precision switch
        {
            Linear4BitPrecision.Exact => new GenericKernelFamily(shape),
            Linear4BitPrecision.Int8Activations => new GenericInt8KernelFamily(shape),
            _ => throw new ArgumentOutOfRangeException(nameof(precision), precision,
                $"Unknown precision; give {nameof(Linear4BitPrecision.Exact)} or {nameof(Linear4BitPrecision.Int8Activations)}."),
        };
    }
}
