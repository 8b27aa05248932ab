using System.Runtime.InteropServices;

namespace Q4Gen.Threading;

/// <summary>Aligned native memory that a thread keeps for its kernels; freed when the thread is collected.</summary>
internal sealed unsafe class ThreadScratch
{
    private const nuint Alignment = 64;

    [ThreadStatic]
    private static ThreadScratch? t_block;

    [ThreadStatic]
    private static ThreadScratch? t_tiles;

    private void* _memory;
    private long _floats;

    ~ThreadScratch() => NativeMemory.AlignedFree(_memory);

    /// <summary>The first of at least <paramref name="floats"/> elements for the kernel that runs on this thread.</summary>
    public static ref float Rent(int floats) => ref *(t_block ??= new ThreadScratch()).Ensure(floats);

    /// <summary>As <see cref="Rent"/>, but apart from the kernel's own: packed activations of the call that this thread makes.</summary>
    public static float* RentTiles(long floats) => (t_tiles ??= new ThreadScratch()).Ensure(floats);

    private float* Ensure(long floats)
    {
        if (_floats < floats)
        {
            NativeMemory.AlignedFree(_memory);
            _memory = null;
            _floats = 0;
            _memory = NativeMemory.AlignedAlloc((nuint)floats * sizeof(float), Alignment);
            _floats = floats;
        }

        return (float*)_memory;
    }
}
