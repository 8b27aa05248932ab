using System.Diagnostics;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Q4Gen.Threading;

/// <summary>
/// Threads that wait for shares of one task at a time. A worker spins briefly after its last share, because the next
/// layer of a model follows within microseconds, and then parks. Whoever finds the team busy computes alone, so
/// callers never wait for each other.
/// </summary>
internal sealed class WorkerTeam
{
    private static readonly long s_spinTicks = Stopwatch.Frequency / 1_000_000 * SpinMicroseconds;

    /// <summary>Longer than the gap between two layers of a model, short beside a time slice of the scheduler.</summary>
    private const int SpinMicroseconds = 50;

    /// <summary>Spins between two looks at the clock.</summary>
    private const int SpinsPerCheck = 32;

    private readonly Worker[] _workers;
    private TeamTask _task;
    private int _parts;
    private int _busy;

    /// <summary>A team of the calling thread and <paramref name="threads"/> − 1 workers.</summary>
    public WorkerTeam(int threads)
    {
        _workers = new Worker[threads - 1];
        for (int i = 0; i < _workers.Length; i++)
        {
            _workers[i] = new Worker(this, part: i + 1);
        }
    }

    /// <summary>Threads that share a task, the caller included.</summary>
    public int Threads => _workers.Length + 1;

    /// <summary>Runs the task on up to <paramref name="parts"/> threads; false, with nothing done, where the team is busy.</summary>
    public bool TryRun(in TeamTask task, int parts)
    {
        if (Interlocked.CompareExchange(ref _busy, 1, 0) != 0)
        {
            return false;
        }

        try
        {
            _task = task;
            _parts = parts;
            for (int i = 0; i < parts - 1; i++)
            {
                _workers[i].Start();
            }

            try
            {
                task.Run(0, parts);
            }
            finally
            {
                // Also when this thread failed: the others still read the caller's memory.
                for (int i = 0; i < parts - 1; i++)
                {
                    _workers[i].Wait();
                }
            }

            for (int i = 0; i < parts - 1; i++)
            {
                _workers[i].ThrowIfFailed();
            }
        }
        finally
        {
            _task = default;
            Volatile.Write(ref _busy, 0);
        }

        return true;
    }

    /// <summary>Ends the workers once the team is idle; it must not be used for new tasks.</summary>
    public void Retire()
    {
        var wait = new SpinWait();
        while (Interlocked.CompareExchange(ref _busy, 1, 0) != 0)
        {
            wait.SpinOnce();
        }

        // Stays busy for ever: a caller that still holds this team computes alone.
        _parts = 0;
        foreach (Worker worker in _workers)
        {
            worker.Start();
        }
    }

    /// <summary>One thread and its mailbox. What the caller writes and what the worker writes lie on cache lines of their own.</summary>
    private sealed class Worker
    {
        private readonly WorkerTeam _team;
        private readonly int _part;
        private readonly SemaphoreSlim _wake = new(0);
        private Mailbox _box;
        private ExceptionDispatchInfo? _failure;

        public Worker(WorkerTeam team, int part)
        {
            _team = team;
            _part = part;
            new Thread(Loop) { IsBackground = true, Name = $"Q4Gen worker {part}" }.Start();
        }

        public void Start()
        {
            Volatile.Write(ref _box.Ordered, _box.Ordered + 1);

            // Full fences here and in Park: one of the two sides sees the other's write.
            if (Interlocked.Exchange(ref _box.Parked, 0) == 1)
            {
                _wake.Release();
            }
        }

        public void Wait()
        {
            var wait = new SpinWait();
            int spins = 0;
            while (Volatile.Read(ref _box.Done) != _box.Ordered)
            {
                if (++spins < 1 << 14)
                {
                    Thread.SpinWait(1);
                }
                else
                {
                    // The worker has lost its processor to somebody: let the scheduler have ours.
                    wait.SpinOnce(sleep1Threshold: -1);
                }
            }
        }

        public void ThrowIfFailed()
        {
            ExceptionDispatchInfo? failure = _failure;
            _failure = null;
            failure?.Throw();
        }

        private void Loop()
        {
            for (int seen = 0; ; seen++)
            {
                AwaitOrder(seen);
                if (_team._parts == 0)
                {
                    return;
                }

                try
                {
                    _team._task.Run(_part, _team._parts);
                }
                catch (Exception exception)
                {
                    _failure = ExceptionDispatchInfo.Capture(exception);
                }

                Volatile.Write(ref _box.Done, seen + 1);
            }
        }

        private void AwaitOrder(int seen)
        {
            long deadline = Stopwatch.GetTimestamp() + s_spinTicks;
            do
            {
                for (int i = 0; i < SpinsPerCheck; i++)
                {
                    if (Volatile.Read(ref _box.Ordered) != seen)
                    {
                        return;
                    }

                    Thread.SpinWait(1);
                }
            }
            while (Stopwatch.GetTimestamp() < deadline);

            Interlocked.Exchange(ref _box.Parked, 1);
            if (Volatile.Read(ref _box.Ordered) != seen && Interlocked.Exchange(ref _box.Parked, 0) == 1)
            {
                // The order came meanwhile, and its sender did not see us park.
                return;
            }

            _wake.Wait();
        }
    }

    [StructLayout(LayoutKind.Explicit, Size = 3 * 128)]
    private struct Mailbox
    {
        /// <summary>Tasks that the caller has ordered.</summary>
        [FieldOffset(64)]
        public int Ordered;

        /// <summary>1 while the worker sleeps, or is about to.</summary>
        [FieldOffset(128)]
        public int Parked;

        /// <summary>Tasks that the worker has done.</summary>
        [FieldOffset(256)]
        public int Done;
    }
}
