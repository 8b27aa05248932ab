using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Q4Gen.Benchmarks.Machine;

/// <summary>
/// Threads on which the machine's limits are measured. They spin between a turn's untimed start and its timed run, so
/// that waking them (tens of microseconds) is not taken for the machine's limit, and park soon after, so that they
/// take no processor from the engines.
/// </summary>
internal sealed class ProbeTeam : IDisposable
{
    /// <summary>Longer than the gap within a turn, short beside the turn of an engine.</summary>
    private static readonly long s_spinTicks = Stopwatch.Frequency / 1000;

    private readonly SemaphoreSlim[] _wake;
    private Action<int>? _action;
    private Counters _counters;

    /// <summary>A team of the calling thread and <paramref name="threads"/> − 1 others.</summary>
    public ProbeTeam(int threads)
    {
        Threads = threads;
        _wake = [.. Enumerable.Range(1, threads - 1).Select(_ => new SemaphoreSlim(0))];
        for (int i = 1; i < threads; i++)
        {
            int part = i;
            new Thread(() => Loop(part)) { IsBackground = true, Name = $"Probe {part}" }.Start();
        }
    }

    /// <summary>Threads, the caller included.</summary>
    public int Threads { get; }

    /// <summary>Seconds until <paramref name="probe"/> has returned on every thread; it gets the thread's number.</summary>
    public double Time(Action<int> probe)
    {
        RunAll(static _ => { });
        long start = Stopwatch.GetTimestamp();
        RunAll(probe);
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>Ends the threads.</summary>
    public void Dispose() => RunAll(null);

    private void RunAll(Action<int>? action)
    {
        _action = action;
        Volatile.Write(ref _counters.Done, 0);
        Volatile.Write(ref _counters.Ordered, _counters.Ordered + 1);
        foreach (SemaphoreSlim wake in _wake)
        {
            // One token an order: a worker that spins takes it when it parks next, and finds that order done.
            wake.Release();
        }

        action?.Invoke(0);
        while (Volatile.Read(ref _counters.Done) != _wake.Length)
        {
            Thread.SpinWait(1);
        }
    }

    private void Loop(int part)
    {
        for (int seen = 0; ; seen++)
        {
            long deadline = Stopwatch.GetTimestamp() + s_spinTicks;
            while (Volatile.Read(ref _counters.Ordered) == seen)
            {
                if (Stopwatch.GetTimestamp() < deadline)
                {
                    Thread.SpinWait(1);
                }
                else
                {
                    _wake[part - 1].Wait();
                }
            }

            Action<int>? action = _action;
            action?.Invoke(part);
            Interlocked.Increment(ref _counters.Done);
            if (action is null)
            {
                return;
            }
        }
    }

    /// <summary>On cache lines of their own, for both are polled.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 3 * 128)]
    private struct Counters
    {
        [FieldOffset(128)]
        public int Ordered;

        [FieldOffset(256)]
        public int Done;
    }
}
