using System.ComponentModel;
using ILGPU;

namespace Q4Gen.Gpu.Kernels;

/// <summary>The GPU kernels of one shape; generated code derives from it and registers it.</summary>
/// <param name="shape">The shape.</param>
/// <param name="name">The family's name, such as <c>Linear4Bit_4096x11008_g128_gpu</c>.</param>
[EditorBrowsable(EditorBrowsableState.Never)]
public abstract class GpuKernelFamily(Linear4BitShape shape, string name)
{
    /// <summary>Rows of x that one warp of <see cref="Rows4{TX, TY}"/> takes.</summary>
    public const int SimtRows = 4;

    /// <summary>The shape.</summary>
    public Linear4BitShape Shape { get; } = shape;

    /// <summary>The name.</summary>
    public string Name { get; } = name;

    /// <summary>The kernels for tensor cores, those for the fewest rows first; none where groups are no multiple of 32 columns.</summary>
    public virtual IReadOnlyList<TensorKernel> TensorKernels => [];

    /// <summary>The specification: one warp for a panel of 16 outputs and one row of x.</summary>
    /// <typeparam name="TX">What x is.</typeparam>
    /// <typeparam name="TY">What y is.</typeparam>
    /// <returns>The kernel: words, scales, bias, x, y and the number of rows.</returns>
    public abstract Action<ArrayView<int>, ArrayView<ILGPU.Half>, ArrayView<float>, ArrayView<TX>, ArrayView<TY>, int> Gemv<TX, TY>()
        where TX : unmanaged, IActivation<TX>
        where TY : unmanaged, IActivation<TY>;

    /// <summary>The same for <see cref="SimtRows"/> rows of x.</summary>
    /// <inheritdoc cref="Gemv{TX, TY}"/>
    public abstract Action<ArrayView<int>, ArrayView<ILGPU.Half>, ArrayView<float>, ArrayView<TX>, ArrayView<TY>, int> Rows4<TX, TY>()
        where TX : unmanaged, IActivation<TX>
        where TY : unmanaged, IActivation<TY>;

    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>
/// A kernel for tensor cores. It takes addresses, not views: words, scales, bias, x and y, then the number of rows and
/// <see cref="TensorFlags"/>. x is float16 in rows of whole steps of 8 columns and 16-byte aligned; so is y.
/// </summary>
/// <param name="Name">Its name, such as <c>Decode_4096x11008_g128_mma</c>.</param>
/// <param name="Body">The kernel.</param>
/// <param name="MaxRows">It is for up to so many rows of x.</param>
/// <param name="OutputsPerGroup">Outputs that a thread group computes.</param>
/// <param name="RowsPerGroup">Rows of x that a thread group takes.</param>
/// <param name="Threads">Threads of a group.</param>
/// <param name="MinGroups">Groups that a multiprocessor is to hold at once, which limits registers.</param>
[EditorBrowsable(EditorBrowsableState.Never)]
public sealed record TensorKernel(
    string Name,
    Action<long, long, long, long, long, int, int> Body,
    int MaxRows,
    int OutputsPerGroup,
    int RowsPerGroup,
    int Threads,
    int MinGroups);

/// <summary>The grids that kernels for tensor cores are launched with.</summary>
internal static class TensorGrid
{
    /// <summary>Thread groups over outputs and over rows of x.</summary>
    public static (int Outputs, int Rows) Of(int outFeatures, int outputsPerGroup, int rows, int rowsPerGroup) =>
        ((outFeatures + outputsPerGroup - 1) / outputsPerGroup, (rows + rowsPerGroup - 1) / rowsPerGroup);
}

/// <summary>What a kernel for tensor cores does with its results.</summary>
[Flags]
internal enum TensorFlags
{
    /// <summary>y is float32, with the bias.</summary>
    None = 0,

    /// <summary>y is float16.</summary>
    HalfOutput = 1,

    /// <summary>No bias is added.</summary>
    NoBias = 2,
}
