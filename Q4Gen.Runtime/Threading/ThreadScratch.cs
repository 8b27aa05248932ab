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

    [ThreadStatic]
    private static ThreadScratch? t_digits;

    [ThreadStatic]
    private static ThreadScratch? t_outliers;

    [ThreadStatic]
    private static ThreadScratch? t_sums;

    [ThreadStatic]
    private static ThreadScratch? t_ordered;

    private void* _memory;
    private long _bytes;

    ~ThreadScratch() => NativeMemory.AlignedFree(_memory);

    /// <summary>The first of at least <paramref name="floats"/> elements for the kernel that runs on this thread.</summary>
    public static ref float Rent(int floats) => ref *(float*)(t_block ??= new ThreadScratch()).Ensure(floats * (long)sizeof(float));

    /// <summary>As <see cref="Rent"/>, but apart from the kernel's own: packed activations of the call that this thread makes.</summary>
    public static void* RentTiles(long bytes) => (t_tiles ??= new ThreadScratch()).Ensure(bytes);

    /// <summary>As <see cref="Rent"/>, but apart from it: rows of x in fixed point.</summary>
    public static void* RentDigits(long bytes) => (t_digits ??= new ThreadScratch()).Ensure(bytes);

    /// <summary>As <see cref="Rent"/>, but apart from it: columns of x that the kernel adds at the end.</summary>
    public static void* RentOutliers(long bytes) => (t_outliers ??= new ThreadScratch()).Ensure(bytes);

    /// <summary>As <see cref="Rent"/>, but apart from it: sums of groups of x in the call that this thread makes.</summary>
    public static void* RentSums(long bytes) => (t_sums ??= new ThreadScratch()).Ensure(bytes);

    /// <summary>As <see cref="Rent"/>, but apart from it: rows of x in the order of columns in the call that this thread makes.</summary>
    public static void* RentOrdered(long bytes) => (t_ordered ??= new ThreadScratch()).Ensure(bytes);

    private void* Ensure(long bytes)
    {
        if (_bytes < bytes)
        {
            NativeMemory.AlignedFree(_memory);
            _memory = null;
            _bytes = 0;
            _memory = NativeMemory.AlignedAlloc((nuint)bytes, Alignment);
            _bytes = bytes;
        }

        return _memory;
    }
}
