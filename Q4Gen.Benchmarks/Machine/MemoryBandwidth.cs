using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Q4Gen.Kernels;

namespace Q4Gen.Benchmarks.Machine;

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
    private readonly ProbeTeam _team;
    private int _sink;

    /// <summary>A buffer of about <paramref name="bytes"/>, read by the threads of <paramref name="team"/>.</summary>
    public MemoryBandwidth(long bytes, ProbeTeam team)
    {
        long unit = (long)team.Threads * Streams * LineBytes;
        _bytes = bytes / unit * unit;
        _team = team;
        _buffer = (int*)NativeMemory.AlignedAlloc((nuint)_bytes, 4096);
        new Span<byte>(_buffer, checked((int)_bytes)).Fill(1);
    }

    /// <summary>Reads everything once; bytes a second.</summary>
    public double Measure() => _bytes / _team.Time(Read);

    /// <summary>Frees the buffer.</summary>
    public void Dispose() => NativeMemory.AlignedFree(_buffer);

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private void Read(int part)
    {
        long stream = _bytes / _team.Threads / Streams / sizeof(int);
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
