using Q4Gen.Gpu.Kernels;

namespace Q4Gen.Gpu;

/// <summary>
/// Queues kernels. What each computes is said where it is written: <see cref="InputKernels"/>, <see cref="Planes"/>,
/// <see cref="UnpackedKernels"/>, <see cref="Kernels.SplitNibbles"/>. A thread group is a row of x where nothing else is said.
/// </summary>
internal abstract class DeviceKernels
{
    /// <summary>The most groups that a grid has in its second dimension. CUDA C++ Programming Guide, "Technical Specifications".</summary>
    public const int MaxGroups = 65535;

    /// <summary>The kernels of a shape.</summary>
    /// <exception cref="GpuUnavailableException">The program has kernels of that shape, but not in the form that this device takes.</exception>
    public abstract LayerKernels Of(Linear4BitShape shape);

    /// <inheritdoc cref="Kernels.SplitNibbles.Split(ILGPU.Index1D, ILGPU.ArrayView{int})"/>
    public abstract void SplitNibbles(DeviceQueue queue, DeviceRange words);

    /// <inheritdoc cref="InputKernels.Gather"/>
    public abstract void Gather(DeviceQueue queue, GpuElement element, DeviceRange x, DeviceRange order, DeviceRange ordered, int inFeatures, int rows);

    /// <inheritdoc cref="InputKernels.Sum"/>
    public abstract void Sum(DeviceQueue queue, GpuElement element, DeviceRange x, DeviceRange sums, Linear4BitShape shape, int rows);

    /// <inheritdoc cref="InputKernels.AddOffsets"/>
    public abstract void AddOffsets(
        DeviceQueue queue, GpuElement element, DeviceRange results, DeviceRange offsets, DeviceRange sums, DeviceRange y, Linear4BitShape shape, int rows);

    /// <inheritdoc cref="Planes.Split"/>
    public abstract void SplitPlanes(DeviceQueue queue, DeviceRange x, DeviceRange planes, DeviceRange exponents, int inFeatures, int columns, int rows);

    /// <inheritdoc cref="Planes.Pad"/>
    public abstract void Pad(DeviceQueue queue, DeviceRange x, DeviceRange padded, int inFeatures, int columns, int rows);

    /// <inheritdoc cref="Planes.Join"/>
    public abstract void Join(
        DeviceQueue queue, GpuElement element, DeviceRange results, DeviceRange exponents, DeviceRange bias, DeviceRange y, int outFeatures, int rows);

    /// <inheritdoc cref="Planes.Copy"/>
    public abstract void Copy(DeviceQueue queue, GpuElement element, DeviceRange results, DeviceRange bias, DeviceRange y, int outFeatures, int rows);

    /// <inheritdoc cref="UnpackedKernels.Unpack"/>
    public abstract void Unpack(DeviceQueue queue, DeviceRange words, DeviceRange scales, DeviceRange matrix, Linear4BitShape shape);

    /// <inheritdoc cref="UnpackedKernels.Multiply"/>
    public abstract void MultiplyUnpacked(DeviceQueue queue, GpuWeights weights, DeviceRange matrix, GpuMatrix x, GpuMatrix y, int rows);

    /// <summary>Thread groups side by side over outputs, of which <see cref="InputKernels.AddOffsets"/> has several a row.</summary>
    protected static int OffsetGroups(int outFeatures) => Math.Min((outFeatures + InputKernels.Threads - 1) / InputKernels.Threads, MaxGroups);
}

/// <summary>Queues the kernels of one shape.</summary>
internal abstract class LayerKernels(Linear4BitShape shape)
{
    /// <summary>Threads of a SIMT group: one warp.</summary>
    protected const int WarpThreads = 32;

    /// <summary>What computes, as descriptions name it.</summary>
    public abstract string Name { get; }

    /// <summary>Whether there are kernels for tensor cores.</summary>
    public abstract bool HasTensorKernels { get; }

    /// <summary>Whether there are SIMT kernels for this shape alone.</summary>
    protected abstract bool HasSimtKernels { get; }

    protected Linear4BitShape Shape { get; } = shape;

    /// <summary>Queues the kernel for tensor cores that takes so many rows.</summary>
    /// <param name="queue">Where to.</param>
    /// <param name="weights">The layer's weights.</param>
    /// <param name="x">Address of x: float16, rows of whole steps, aligned.</param>
    /// <param name="y">Address of y, aligned.</param>
    /// <param name="rows">Rows of x.</param>
    /// <param name="flags">What becomes of the results.</param>
    public abstract void RunTensor(DeviceQueue queue, GpuWeights weights, nint x, nint y, int rows, TensorFlags flags);

    /// <summary>Queues a SIMT kernel: those of the shape where rows can be loaded as vectors, else the generic one.</summary>
    public void RunSimt(DeviceQueue queue, GpuWeights weights, GpuMatrix x, GpuMatrix y, int rows, bool isAligned)
    {
        bool isGeneric = !HasSimtKernels || !isAligned;
        int rowsPerGroup = isGeneric || rows == 1 ? 1 : GpuKernelFamily.SimtRows;
        for (int first = 0; first < rows; first += DeviceKernels.MaxGroups * rowsPerGroup)
        {
            int count = Math.Min(rows - first, DeviceKernels.MaxGroups * rowsPerGroup);
            RunSimt(
                queue,
                isGeneric ? SimtRole.Generic : rowsPerGroup == 1 ? SimtRole.Gemv : SimtRole.Rows4,
                weights,
                x.Rows(first, count, Shape.In),
                y.Rows(first, count, Shape.Out),
                count,
                (count + rowsPerGroup - 1) / rowsPerGroup);
        }
    }

    /// <summary>Queues a SIMT kernel for no more rows than fit a grid.</summary>
    protected abstract void RunSimt(DeviceQueue queue, SimtRole role, GpuWeights weights, GpuMatrix x, GpuMatrix y, int rows, int rowGroups);

    /// <summary>Which SIMT kernel.</summary>
    protected enum SimtRole
    {
        /// <summary>For every shape.</summary>
        Generic,

        /// <summary>The shape's own, for one row.</summary>
        Gemv,

        /// <summary>The shape's own, for four rows.</summary>
        Rows4,
    }
}
