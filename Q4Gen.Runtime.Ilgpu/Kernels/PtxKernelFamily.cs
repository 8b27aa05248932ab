using System.ComponentModel;

namespace Q4Gen.Gpu.Kernels;

/// <summary>
/// The GPU kernels of one shape in PTX, in programs that are built with <c>Q4GenPtx</c>; generated code derives from it and
/// registers it.
/// </summary>
/// <param name="shape">The shape.</param>
/// <param name="name">The family's name, such as <c>Linear4Bit_4096x11008_g128_gpu</c>.</param>
/// <param name="targets">What the kernels may be assembled for, as <c>sm_80</c> is 80; ascending.</param>
[EditorBrowsable(EditorBrowsableState.Never)]
public abstract class PtxKernelFamily(Linear4BitShape shape, string name, params int[] targets)
{
    /// <summary>The shape.</summary>
    public Linear4BitShape Shape { get; } = shape;

    /// <summary>The name.</summary>
    public string Name { get; } = name;

    /// <summary>What the kernels may be assembled for, ascending.</summary>
    public IReadOnlyList<int> Targets { get; } = targets;

    /// <summary>The kernels for tensor cores, those for the fewest rows first; none where groups are no multiple of 32 columns.</summary>
    public virtual IReadOnlyList<PtxKernel> TensorKernels => [];

    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>The text of a kernel: an entry of PTX, without the directives at the head of a module.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public delegate ReadOnlySpan<byte> PtxText();

/// <summary>
/// A kernel for tensor cores in PTX. It takes addresses: words, scales, bias, x and y, then the number of rows and
/// <see cref="TensorFlags"/>. x is float16 in rows of whole steps of 8 columns and 16-byte aligned; so is y.
/// </summary>
/// <param name="Name">The entry, such as <c>Decode_4096x11008_g128_mma</c>.</param>
/// <param name="Text">The text.</param>
/// <param name="MaxRows">It is for up to so many rows of x.</param>
/// <param name="OutputsPerGroup">Outputs that a thread group computes.</param>
/// <param name="RowsPerGroup">Rows of x that a thread group takes.</param>
/// <param name="Threads">Threads of a group.</param>
[EditorBrowsable(EditorBrowsableState.Never)]
public sealed record PtxKernel(string Name, PtxText Text, int MaxRows, int OutputsPerGroup, int RowsPerGroup, int Threads);
