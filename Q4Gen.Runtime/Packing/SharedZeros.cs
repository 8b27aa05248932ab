using System.Runtime.InteropServices;

namespace Q4Gen.Packing;

/// <summary>
/// Zeros in native memory that all mapped layers without a bias read as theirs: a block a layer would be most of what
/// loading touches.
/// </summary>
internal static unsafe class SharedZeros
{
    private static readonly Lock s_lock = new();
    private static nint s_block;
    private static long s_bytes;

    /// <summary>At least so many bytes of zeros, aligned to lines of the cache, for as long as the process lives.</summary>
    public static nint Of(long bytes)
    {
        lock (s_lock)
        {
            if (bytes > s_bytes)
            {
                // The shorter blocks stay with the layers that read them; each is at least twice the one before.
                long length = Math.Max(bytes, 2 * s_bytes);
                nint block = (nint)NativeMemory.AlignedAlloc((nuint)length, 64);
                NativeMemory.Clear((void*)block, (nuint)length);
                (s_block, s_bytes) = (block, length);
            }

            return s_block;
        }
    }
}
