using System.Diagnostics;
using ThreadState = System.Diagnostics.ThreadState;

namespace Q4Gen.Benchmarks.Machine;

/// <summary>
/// Sees to it that nobody's threads are running when an engine's turn begins. Workers of ONNX Runtime spin for some
/// 50 ms after a call (ours for 50 µs) before they park, and would take a processor from whoever comes next. Spinning
/// stays on, because without it every call of theirs would begin by waking threads; instead each turn waits until all
/// other threads of the process sleep, as the operating system reports it.
/// </summary>
internal static class Quiet
{
    private const double IdleShare = 0.1;

    /// <summary>The runtime begins a tenth of a second after the last call of something new.</summary>
    private static readonly TimeSpan s_nap = TimeSpan.FromMilliseconds(400);

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);

    /// <summary>Returns when no other thread of this process runs or is ready to.</summary>
    /// <exception cref="TimeoutException">Some thread does not stop.</exception>
    public static void Await()
    {
        if (!TryAwait(s_limit))
        {
            throw new TimeoutException(
                $"{RunningThreads() - 1} other threads of this process still run after {s_limit.TotalSeconds} s, so no engine can be timed alone.");
        }
    }

    /// <summary>Waits until no other thread of this process runs or is ready to; false where some still does after a while.</summary>
    public static bool TryAwait(TimeSpan limit)
    {
        long start = Stopwatch.GetTimestamp();
        while (RunningThreads() > 1)
        {
            if (Stopwatch.GetElapsedTime(start) > limit)
            {
                return false;
            }

            Thread.Sleep(1);
        }

        return true;
    }

    /// <summary>
    /// Sleeps until the process is idle meanwhile, because the runtime has compiled anew what was called often, the compiler of
    /// C# for instance, which takes it tens of seconds. It stops doing so as long as anything new is called: who asks again
    /// and again whether it is done keeps it from ever being so. False where it is still not idle after a while.
    /// </summary>
    public static bool Settle(TimeSpan limit)
    {
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            TimeSpan before = ProcessorTime();
            Thread.Sleep(s_nap);
            if (ProcessorTime() - before < s_nap * IdleShare)
            {
                return true;
            }

            if (Stopwatch.GetElapsedTime(start) > limit)
            {
                return false;
            }
        }
    }

    private static TimeSpan ProcessorTime()
    {
        using var process = Process.GetCurrentProcess();
        return process.TotalProcessorTime;
    }

    /// <summary>Threads of this process that run or are ready to, the caller included.</summary>
    private static int RunningThreads()
    {
        using var process = Process.GetCurrentProcess();
        int running = 0;
        foreach (ProcessThread thread in process.Threads)
        {
            try
            {
                running += thread.ThreadState is ThreadState.Running or ThreadState.Ready ? 1 : 0;
            }
            catch (InvalidOperationException)
            {
                // It ended meanwhile.
            }
        }

        return running;
    }
}
