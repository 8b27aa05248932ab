using Q4Gen.Gpu;

namespace Q4Gen.Benchmarks.Gpu;

/// <summary>How a kernel is reached.</summary>
internal enum GpuPath
{
    /// <summary>By the public <c>Forward</c>, which chooses.</summary>
    Forward,

    /// <summary>The SIMT kernel that was generated for the shape.</summary>
    Simt,

    /// <summary>The generic kernel.</summary>
    Generic,

    /// <summary>By the public <c>ForwardUnpack</c>.</summary>
    Unpacked,
}

/// <summary>One call to verify.</summary>
/// <param name="Path">How the kernel is reached.</param>
/// <param name="X">What x is.</param>
/// <param name="Y">What y is.</param>
/// <param name="Rows">Rows of x.</param>
/// <param name="XShift">Elements that x lies behind an aligned address.</param>
/// <param name="YShift">Elements that y lies behind an aligned address.</param>
/// <param name="IsNonFinite">Whether x gets a NaN, then infinity, which are to reach y.</param>
internal sealed record GpuCase(GpuPath Path, GpuElement X, GpuElement Y, int Rows, int XShift = 0, int YShift = 0, bool IsNonFinite = false)
{
    /// <summary>Whether x or y is not aligned for vectors.</summary>
    public bool IsShifted => XShift != 0 || YShift != 0;

    /// <summary>An element type as texts name it.</summary>
    public static string Name(GpuElement element) => element == GpuElement.Float16 ? "float16" : "float32";
}
