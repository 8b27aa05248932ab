using System.Collections.Concurrent;
using ILGPU;
using ILGPU.Runtime;
using Q4Gen.Gpu.Kernels;

namespace Q4Gen.Gpu;

/// <summary>
/// The kernels that one GPU has loaded through ILGPU: each is compiled when it is first asked for, and stays, held here because
/// ILGPU's own cache lets go of it.
/// </summary>
internal sealed class IlgpuKernels(Accelerator accelerator) : DeviceKernels
{
    private readonly ConcurrentDictionary<Linear4BitShape, IlgpuLayerKernels> _layers = new();
    private readonly ConcurrentDictionary<Type, Delegate> _shared = new();
    private readonly Lock _lock = new();

    public override LayerKernels Of(Linear4BitShape shape) => _layers.GetOrAdd(shape, static (shape, kernels) =>
        GpuKernelRegistry.Find(shape) is not { } family && GpuKernelRegistry.FindPtx(shape) is not null
            ? throw new GpuUnavailableException(
                $"The GPU kernels of layers {shape} were compiled to PTX, but this program compiles kernels while it runs; set the MSBuild property Q4GenPtx in the program's project as in that of the layers.")
            : new IlgpuLayerKernels(kernels, shape, GpuKernelRegistry.Find(shape)), this);

    /// <summary>Compiles a kernel, one at a time; ILGPU's compiler is not for many threads.</summary>
    public T Load<T>(Func<Accelerator, T> load)
    {
        lock (_lock)
        {
            return load(accelerator);
        }
    }

    /// <summary>A kernel that all shapes share, by the type of its owner and its own.</summary>
    public T Shared<TOwner, T>(Func<Accelerator, T> load)
        where T : Delegate =>
        (T)(_shared.TryGetValue(typeof((TOwner, T)), out Delegate? known)
            ? known
            : _shared.GetOrAdd(typeof((TOwner, T)), Load(load)));

    public override void SplitNibbles(DeviceQueue queue, DeviceRange words)
    {
        var split = Shared<SplitOwner, Action<AcceleratorStream, Index1D, ArrayView<int>>>(
            static accelerator => accelerator.LoadAutoGroupedKernel<Index1D, ArrayView<int>>(Kernels.SplitNibbles.Split));
        ArrayView<int> view = words.View<int>();
        split(Stream(queue), checked((int)view.Length), view);
    }

    // Only moved, so that what the elements are does not matter beyond their size.
    public override void Gather(DeviceQueue queue, GpuElement element, DeviceRange x, DeviceRange order, DeviceRange ordered, int inFeatures, int rows)
    {
        if (element == GpuElement.Float16)
        {
            Gather<ILGPU.Half>(queue, x, order, ordered, inFeatures, rows);
        }
        else
        {
            Gather<float>(queue, x, order, ordered, inFeatures, rows);
        }
    }

    public override void Sum(DeviceQueue queue, GpuElement element, DeviceRange x, DeviceRange sums, Linear4BitShape shape, int rows)
    {
        if (element == GpuElement.Float16)
        {
            Sum<F16>(queue, x, sums, shape, rows);
        }
        else
        {
            Sum<F32>(queue, x, sums, shape, rows);
        }
    }

    public override void AddOffsets(
        DeviceQueue queue, GpuElement element, DeviceRange results, DeviceRange offsets, DeviceRange sums, DeviceRange y, Linear4BitShape shape, int rows)
    {
        if (element == GpuElement.Float16)
        {
            AddOffsets<F16>(queue, results, offsets, sums, y, shape, rows);
        }
        else
        {
            AddOffsets<F32>(queue, results, offsets, sums, y, shape, rows);
        }
    }

    public override void SplitPlanes(DeviceQueue queue, DeviceRange x, DeviceRange planes, DeviceRange exponents, int inFeatures, int columns, int rows)
    {
        var split = Shared<PlanesOwner, Action<AcceleratorStream, KernelConfig, ArrayView<float>, ArrayView<ILGPU.Half>, ArrayView<int>, int, int>>(
            static accelerator => accelerator.LoadKernel<ArrayView<float>, ArrayView<ILGPU.Half>, ArrayView<int>, int, int>(Planes.Split));
        split(Stream(queue), Config(rows, Planes.Threads), x.View<float>(), planes.View<ILGPU.Half>(), exponents.View<int>(), inFeatures, columns);
    }

    public override void Pad(DeviceQueue queue, DeviceRange x, DeviceRange padded, int inFeatures, int columns, int rows)
    {
        var pad = Shared<PlanesOwner, Action<AcceleratorStream, KernelConfig, ArrayView<ILGPU.Half>, ArrayView<ILGPU.Half>, int, int>>(
            static accelerator => accelerator.LoadKernel<ArrayView<ILGPU.Half>, ArrayView<ILGPU.Half>, int, int>(Planes.Pad));
        pad(Stream(queue), Config(rows, Planes.Threads), x.View<ILGPU.Half>(), padded.View<ILGPU.Half>(), inFeatures, columns);
    }

    public override void Join(
        DeviceQueue queue, GpuElement element, DeviceRange results, DeviceRange exponents, DeviceRange bias, DeviceRange y, int outFeatures, int rows)
    {
        if (element == GpuElement.Float16)
        {
            Join<F16>(queue, results, exponents, bias, y, outFeatures, rows);
        }
        else
        {
            Join<F32>(queue, results, exponents, bias, y, outFeatures, rows);
        }
    }

    public override void Copy(DeviceQueue queue, GpuElement element, DeviceRange results, DeviceRange bias, DeviceRange y, int outFeatures, int rows)
    {
        if (element == GpuElement.Float16)
        {
            Copy<F16>(queue, results, bias, y, outFeatures, rows);
        }
        else
        {
            Copy<F32>(queue, results, bias, y, outFeatures, rows);
        }
    }

    public override void Unpack(DeviceQueue queue, DeviceRange words, DeviceRange scales, DeviceRange matrix, Linear4BitShape shape)
    {
        var unpack = Shared<UnpackedOwner, Action<AcceleratorStream, KernelConfig, ArrayView<int>, ArrayView<ILGPU.Half>, ArrayView<float>, SimtShape>>(
            static accelerator => accelerator.LoadKernel<ArrayView<int>, ArrayView<ILGPU.Half>, ArrayView<float>, SimtShape>(UnpackedKernels.Unpack));
        unpack(Stream(queue), Config(shape.Out, UnpackedKernels.Threads), words.View<int>(), scales.View<ILGPU.Half>(), matrix.View<float>(), new SimtShape(shape));
    }

    public override void MultiplyUnpacked(DeviceQueue queue, GpuWeights weights, DeviceRange matrix, GpuMatrix x, GpuMatrix y, int rows)
    {
        switch (x.Element, y.Element)
        {
            case (GpuElement.Float32, GpuElement.Float32):
                MultiplyUnpacked<F32, F32>(queue, weights, matrix, x, y, rows);
                break;
            case (GpuElement.Float32, GpuElement.Float16):
                MultiplyUnpacked<F32, F16>(queue, weights, matrix, x, y, rows);
                break;
            case (GpuElement.Float16, GpuElement.Float32):
                MultiplyUnpacked<F16, F32>(queue, weights, matrix, x, y, rows);
                break;
            default:
                MultiplyUnpacked<F16, F16>(queue, weights, matrix, x, y, rows);
                break;
        }
    }

    internal static AcceleratorStream Stream(DeviceQueue queue) => ((IlgpuQueue)queue).Stream;

    private static KernelConfig Config(int rows, int threads, int groups = 1) => (new Index3D(rows, groups, 1), new Index3D(threads, 1, 1));

    private void Gather<T>(DeviceQueue queue, DeviceRange x, DeviceRange order, DeviceRange ordered, int inFeatures, int rows)
        where T : unmanaged
    {
        var gather = Shared<InputOwner, Action<AcceleratorStream, KernelConfig, ArrayView<T>, ArrayView<int>, ArrayView<T>, int>>(
            static accelerator => accelerator.LoadKernel<ArrayView<T>, ArrayView<int>, ArrayView<T>, int>(InputKernels.Gather));
        gather(Stream(queue), Config(rows, InputKernels.Threads), x.View<T>(), order.View<int>(), ordered.View<T>(), inFeatures);
    }

    private void Sum<TX>(DeviceQueue queue, DeviceRange x, DeviceRange sums, Linear4BitShape shape, int rows)
        where TX : unmanaged, IActivation<TX>
    {
        var sum = Shared<InputOwner, Action<AcceleratorStream, KernelConfig, ArrayView<TX>, ArrayView<float>, SimtShape>>(
            static accelerator => accelerator.LoadKernel<ArrayView<TX>, ArrayView<float>, SimtShape>(InputKernels.Sum));
        sum(Stream(queue), Config(rows, InputKernels.Threads), x.View<TX>(), sums.View<float>(), new SimtShape(shape));
    }

    private void AddOffsets<TY>(
        DeviceQueue queue, DeviceRange results, DeviceRange offsets, DeviceRange sums, DeviceRange y, Linear4BitShape shape, int rows)
        where TY : unmanaged, IActivation<TY>
    {
        var add = Shared<InputOwner, Action<AcceleratorStream, KernelConfig, ArrayView<float>, ArrayView<ILGPU.Half>, ArrayView<float>, ArrayView<TY>, SimtShape>>(
            static accelerator => accelerator.LoadKernel<ArrayView<float>, ArrayView<ILGPU.Half>, ArrayView<float>, ArrayView<TY>, SimtShape>(InputKernels.AddOffsets));
        add(
            Stream(queue), Config(rows, InputKernels.Threads, OffsetGroups(shape.Out)), results.View<float>(), offsets.View<ILGPU.Half>(), sums.View<float>(),
            y.View<TY>(), new SimtShape(shape));
    }

    private void Join<TY>(DeviceQueue queue, DeviceRange results, DeviceRange exponents, DeviceRange bias, DeviceRange y, int outFeatures, int rows)
        where TY : unmanaged, IActivation<TY>
    {
        var join = Shared<PlanesOwner, Action<AcceleratorStream, KernelConfig, ArrayView<float>, ArrayView<int>, ArrayView<float>, ArrayView<TY>, int>>(
            static accelerator => accelerator.LoadKernel<ArrayView<float>, ArrayView<int>, ArrayView<float>, ArrayView<TY>, int>(Planes.Join));
        join(Stream(queue), Config(rows, Planes.Threads), results.View<float>(), exponents.View<int>(), bias.View<float>(), y.View<TY>(), outFeatures);
    }

    private void Copy<TY>(DeviceQueue queue, DeviceRange results, DeviceRange bias, DeviceRange y, int outFeatures, int rows)
        where TY : unmanaged, IActivation<TY>
    {
        var copy = Shared<PlanesOwner, Action<AcceleratorStream, KernelConfig, ArrayView<float>, ArrayView<float>, ArrayView<TY>, int>>(
            static accelerator => accelerator.LoadKernel<ArrayView<float>, ArrayView<float>, ArrayView<TY>, int>(Planes.Copy));
        copy(Stream(queue), Config(rows, Planes.Threads), results.View<float>(), bias.View<float>(), y.View<TY>(), outFeatures);
    }

    private void MultiplyUnpacked<TX, TY>(DeviceQueue queue, GpuWeights weights, DeviceRange matrix, GpuMatrix x, GpuMatrix y, int rows)
        where TX : unmanaged, IActivation<TX>
        where TY : unmanaged, IActivation<TY>
    {
        var multiply = Shared<UnpackedOwner, Action<AcceleratorStream, KernelConfig, ArrayView<float>, ArrayView<ILGPU.Half>, ArrayView<int>, ArrayView<float>, ArrayView<TX>, ArrayView<TY>, SimtShape, int, int>>(
            static accelerator => accelerator.LoadKernel<ArrayView<float>, ArrayView<ILGPU.Half>, ArrayView<int>, ArrayView<float>, ArrayView<TX>, ArrayView<TY>, SimtShape, int, int>(UnpackedKernels.Multiply));

        // What is not there is not read; some memory must stand in its place.
        multiply(
            Stream(queue),
            Config(rows, UnpackedKernels.Threads, UnpackedKernels.OutputGroups(weights.Shape.Out)),
            matrix.View<float>(),
            (weights.IsAffine ? weights.Offsets : weights.Scales).View<ILGPU.Half>(),
            (weights.HasInputOrder ? weights.Order : weights.Words).View<int>(),
            weights.Bias.View<float>(),
            x.Range.View<TX>(),
            y.Range.View<TY>(),
            new SimtShape(weights.Shape),
            weights.IsAffine ? 1 : 0,
            weights.HasInputOrder ? 1 : 0);
    }

    // Name groups of kernels among those that all shapes share, for several have the same parameters.
    private sealed class SplitOwner;

    private sealed class InputOwner;

    private sealed class PlanesOwner;

    private sealed class UnpackedOwner;
}
