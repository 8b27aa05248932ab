using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Q4Gen.Kernels;

namespace Q4Gen.Benchmarks;

/// <summary>
/// What this machine's memory gives to plain reading: each thread sums its share of a large buffer in four streams with
/// prefetch, the pattern of a kernel that computes nothing.
/// </summary>
internal sealed unsafe class MemoryBandwidth : IDisposable
{
    private const int Streams = 4;
    private const int LineBytes = 64;
    private const int PrefetchBytes = 4096;

    private readonly int* _buffer;
    private readonly long _bytes;
    private readonly int _threads;
    private readonly Barrier? _barrier;
    private volatile bool _isOver;
    private int _sink;

    /// <summary>A buffer of <paramref name="bytes"/>, read by <paramref name="threads"/> threads that stay until disposal.</summary>
    public MemoryBandwidth(long bytes, int threads)
    {
        _bytes = bytes / (threads * Streams * LineBytes) * (threads * Streams * LineBytes);
        _threads = threads;
        _buffer = (int*)NativeMemory.AlignedAlloc((nuint)_bytes, 4096);
        new Span<byte>(_buffer, checked((int)_bytes)).Fill(1);
        if (threads > 1)
        {
            _barrier = new Barrier(threads);
            for (int i = 1; i < threads; i++)
            {
                int part = i;
                new Thread(() => Loop(part)) { IsBackground = true }.Start();
            }
        }
    }

    /// <summary>Reads everything once; returns the bytes.</summary>
    public long ReadAll()
    {
        _barrier?.SignalAndWait();
        Read(0);
        _barrier?.SignalAndWait();
        return _bytes;
    }

    /// <summary>Ends the threads and frees the buffer.</summary>
    public void Dispose()
    {
        _isOver = true;
        _barrier?.SignalAndWait();
        NativeMemory.AlignedFree(_buffer);
    }

    private void Loop(int part)
    {
        while (true)
        {
            _barrier!.SignalAndWait();
            if (_isOver)
            {
                return;
            }

            Read(part);
            _barrier.SignalAndWait();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Read(int part)
    {
        long stream = _bytes / _threads / Streams / sizeof(int);
        ref int words = ref Unsafe.Add(ref *_buffer, (nint)(part * Streams * stream));
        Vector256<int> sum0 = default, sum1 = default, sum2 = default, sum3 = default;
        for (long i = 0; i < stream; i += LineBytes / sizeof(int))
        {
            Prefetch.Ahead(ref words, PrefetchBytes);
            Prefetch.Ahead(ref Unsafe.Add(ref words, (nint)stream), PrefetchBytes);
            Prefetch.Ahead(ref Unsafe.Add(ref words, (nint)(2 * stream)), PrefetchBytes);
            Prefetch.Ahead(ref Unsafe.Add(ref words, (nint)(3 * stream)), PrefetchBytes);
            sum0 += Line(ref words);
            sum1 += Line(ref Unsafe.Add(ref words, (nint)stream));
            sum2 += Line(ref Unsafe.Add(ref words, (nint)(2 * stream)));
            sum3 += Line(ref Unsafe.Add(ref words, (nint)(3 * stream)));
            words = ref Unsafe.Add(ref words, LineBytes / sizeof(int));
        }

        Volatile.Write(ref _sink, Vector256.Sum(sum0 + sum1 + sum2 + sum3));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Line(ref int words) => Vector256.LoadUnsafe(ref words) + Vector256.LoadUnsafe(ref words, 8);
}
