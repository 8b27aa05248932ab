using System.Collections.Concurrent;
using System.ComponentModel;

namespace Q4Gen.Kernels;

/// <summary>
/// The kernel families of this program by shape. An assembly with generated kernels registers them when it is first
/// used; a shape that nobody registered gets a generic family.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class KernelRegistry
{
    private static readonly ConcurrentDictionary<Linear4BitShape, KernelFamily> s_families = new();

    /// <summary>Adds a generated family; the first of a shape stays.</summary>
    public static void Register(KernelFamily family)
    {
        ArgumentNullException.ThrowIfNull(family);
        s_families.TryAdd(family.Shape, family);
    }

    /// <summary>The generated family of a shape, or a generic one.</summary>
    public static KernelFamily Find(Linear4BitShape shape)
    {
        if (s_families.TryGetValue(shape, out KernelFamily? family))
        {
            return family;
        }

        shape.Validate();
        return new GenericKernelFamily(shape);
    }
}
