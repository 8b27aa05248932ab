using System.ComponentModel;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Q4Gen.Kernels;

/// <summary>Software prefetch, so that generated code needs no pointers.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class Prefetch
{
    /// <summary>
    /// Asks for the cache line <paramref name="bytes"/> beyond <paramref name="location"/>; a hint, which may point
    /// past the end of the memory. Does nothing where the processor has no such instruction.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Ahead(ref int location, nint bytes)
    {
        if (Sse.IsSupported)
        {
            // Not a pointer plus the distance: that takes an instruction more.
            Sse.Prefetch0(Unsafe.AsPointer(ref Unsafe.AddByteOffset(ref location, bytes)));
        }
    }
}
