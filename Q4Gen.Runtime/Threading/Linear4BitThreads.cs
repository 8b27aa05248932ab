using Q4Gen.Threading;

namespace Q4Gen;

/// <summary>How many threads a large layer is computed on.</summary>
public static class Linear4BitThreads
{
    /// <summary>The environment variable that sets the first value of <see cref="Count"/>.</summary>
    public const string EnvironmentVariable = "Q4GEN_THREADS";

    /// <summary>More would not be a mistake of the processor but of whoever typed it.</summary>
    private const int Maximum = 1024;

    private static readonly Lock s_change = new();
    private static WorkerTeam? s_team;

    /// <summary>
    /// Threads that share one call, the caller's own included; from 1 to 1024. At first the value of the environment
    /// variable <c>Q4GEN_THREADS</c>, or the number of processors. Results do not depend on it.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is below 1 or above 1024.</exception>
    /// <exception cref="InvalidOperationException">The environment variable holds no such number.</exception>
    public static int Count
    {
        get => Team.Threads;
        set
        {
            if (value is < 1 or > Maximum)
            {
                throw new ArgumentOutOfRangeException(nameof(value), value,
                    $"The number of threads must be from 1 to {Maximum}; 1 computes on the calling thread alone.");
            }

            lock (s_change)
            {
                if (s_team?.Threads == value)
                {
                    return;
                }

                WorkerTeam? old = s_team;
                Volatile.Write(ref s_team, new WorkerTeam(value));
                old?.Retire();
            }
        }
    }

    /// <summary>The team in use.</summary>
    internal static WorkerTeam Team => Volatile.Read(ref s_team) ?? CreateTeam();

    private static WorkerTeam CreateTeam()
    {
        lock (s_change)
        {
            return s_team ??= new WorkerTeam(InitialCount());
        }
    }

    private static int InitialCount()
    {
        string? text = Environment.GetEnvironmentVariable(EnvironmentVariable);
        if (string.IsNullOrEmpty(text))
        {
            return Math.Min(Environment.ProcessorCount, Maximum);
        }

        return int.TryParse(text, out int count) && count is >= 1 and <= Maximum
            ? count
            : throw new InvalidOperationException(
                $"The environment variable {EnvironmentVariable} is \"{text}\"; give it a number of threads from 1 to {Maximum}, or remove it.");
    }
}
