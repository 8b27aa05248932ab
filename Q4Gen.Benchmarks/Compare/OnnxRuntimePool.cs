using Microsoft.ML.OnnxRuntime;

namespace Q4Gen.Benchmarks.Compare;

/// <summary>
/// The environment of ONNX Runtime with one thread pool for all sessions, as long as it lives. Each session's own pool
/// would go on spinning while the next copy's session computes, nine pools on the processors of one; a shared pool is
/// the same class with the same spinning, and a session in turn finds its workers awake. One session alone is as fast
/// with it as with its own pool. Between engines, <see cref="Machine.Quiet"/> waits until the pool has parked.
/// </summary>
internal sealed class OnnxRuntimePool : IDisposable
{
    private readonly OrtEnv _environment;

    /// <summary>A pool of <paramref name="threads"/> threads, the caller of a session included.</summary>
    /// <exception cref="InvalidOperationException">Another pool is in use.</exception>
    public OnnxRuntimePool(int threads)
    {
        if (OrtEnv.IsCreated)
        {
            throw new InvalidOperationException("ONNX Runtime has an environment already; dispose it first, for it takes one number of threads.");
        }

        using var threading = new OrtThreadingOptions
        {
            GlobalIntraOpNumThreads = threads,
            GlobalInterOpNumThreads = 1,
            GlobalSpinControl = true,
        };
        var options = new EnvironmentCreationOptions
        {
            logId = "Q4Gen.Benchmarks",
            logLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_WARNING,
            threadOptions = threading,
        };
        _environment = OrtEnv.CreateInstanceWithOptions(ref options);
    }

    /// <summary>Options with which a session runs at its best: all optimisations, prepacked weights, memory patterns.</summary>
    public static SessionOptions CreateSessionOptions(int threads)
    {
        var options = new SessionOptions
        {
            ExecutionMode = ExecutionMode.ORT_SEQUENTIAL,
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL,
            EnableMemoryPattern = true,
            EnableCpuMemArena = true,
            IntraOpNumThreads = threads,
            InterOpNumThreads = 1,
        };
        options.AddSessionConfigEntry("session.disable_prepacking", "0");
        options.AddSessionConfigEntry("session.intra_op.allow_spinning", "1");
        options.DisablePerSessionThreads();
        return options;
    }

    /// <summary>Ends the threads; all sessions must be disposed.</summary>
    public void Dispose() => _environment.Dispose();
}
