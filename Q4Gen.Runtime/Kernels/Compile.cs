using System.ComponentModel;
using System.Runtime.CompilerServices;

namespace Q4Gen.Kernels;

/// <summary>How methods that do the work are compiled.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class Compile
{
    /// <summary>
    /// At full optimisation from the first call on, and as a method of its own. Once the compiler has seen that a kernel
    /// is called often, it would inline it into its caller, run out of its budget there, and call the kernel's small
    /// members instead of inlining them: five times slower, and only after a while.
    /// </summary>
    public const MethodImplOptions Once = MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining;
}
