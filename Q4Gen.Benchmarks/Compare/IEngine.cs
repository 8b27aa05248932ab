using Q4Gen.Kernels;

namespace Q4Gen.Benchmarks.Compare;

/// <summary>Something that computes <c>y = x · Wᵀ</c> from the 4-bit weights of a <see cref="Workload"/>.</summary>
internal interface IEngine : IDisposable
{
    /// <summary>What runs inside: a kernel's name, or a version and its settings.</summary>
    string Description { get; }

    /// <summary>The result of the last call: row-major, at least <c>[rows, out]</c>.</summary>
    ReadOnlySpan<float> Y { get; }

    /// <summary>Sets up calls with the first <paramref name="rows"/> rows of the workload's x.</summary>
    void Prepare(int rows);

    /// <summary>Multiplies by one of the workload's copies of the weights.</summary>
    void Run(int copy);
}

/// <summary>An engine that can be compared.</summary>
/// <param name="Name">Its name in tables, plots and JSON.</param>
/// <param name="IsInt8">Whether it computes with 8-bit integers, so that their peak is its limit.</param>
/// <param name="MaxError">The largest relative error, in the L2 norm, with which its figures count.</param>
/// <param name="Create">Creates it for a workload and a number of threads.</param>
internal sealed record EngineKind(string Name, bool IsInt8, double MaxError, Func<Workload, int, IEngine> Create)
{
    /// <summary>Float32 sums of exactly dequantised weights.</summary>
    private const double FloatError = 1e-5;

    /// <summary>Activations rounded to 8 bits by group.</summary>
    private const double Int8Error = 2e-2;

    /// <summary>The float engine of ONNX Runtime.</summary>
    public static EngineKind OnnxRuntimeFloat { get; } =
        new("onnxruntime-float", false, FloatError, static (work, threads) => new OnnxRuntimeEngine(work, threads, accuracyLevel: 1));

    /// <summary>The int8 engine of ONNX Runtime.</summary>
    public static EngineKind OnnxRuntimeInt8 { get; } =
        new("onnxruntime-int8", true, Int8Error, static (work, threads) => new OnnxRuntimeEngine(work, threads, accuracyLevel: 4));

    /// <summary>All engines, in the order of tables.</summary>
    public static IReadOnlyList<EngineKind> All { get; } =
    [
        new("q4gen-exact", false, FloatError, static (work, threads) => new Q4GenEngine(work, threads, KernelRegistry.Find(work.Shape))),
        new("q4gen-int8", true, Int8Error, static (work, threads) => new Q4GenEngine(work, threads, KernelRegistry.Find(work.Shape, Linear4BitPrecision.Int8Activations))),
        OnnxRuntimeFloat,
        OnnxRuntimeInt8,
    ];

    /// <summary>Those that others are compared with.</summary>
    public static IReadOnlyList<EngineKind> Peers { get; } = [OnnxRuntimeFloat, OnnxRuntimeInt8];
}
