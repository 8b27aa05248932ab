using ILGPU;
using ILGPU.Runtime;
using Q4Gen.Gpu.Kernels;

namespace Q4Gen.Gpu;

/// <summary>Launches what stands beside every kernel of a layer with an input order or with offsets.</summary>
internal static class GpuInputs
{
    /// <summary>The most groups that a grid has in its second dimension. CUDA C++ Programming Guide, "Technical Specifications".</summary>
    private const int MaxOutputGroups = 65535;

    /// <summary>Brings x into the order of columns.</summary>
    public static void Gather(GpuWeights weights, GpuMatrix x, GpuMatrix ordered, int rows)
    {
        // Only moved, so that what the elements are does not matter beyond their size.
        if (x.Element == GpuElement.Float16)
        {
            Gather<ILGPU.Half>(weights, x, ordered, rows);
        }
        else
        {
            Gather<float>(weights, x, ordered, rows);
        }
    }

    /// <summary>Sums each group of x.</summary>
    public static void Sum(GpuWeights weights, GpuMatrix x, ArrayView<float> sums, int rows)
    {
        if (x.Element == GpuElement.Float16)
        {
            Sum<F16>(weights, x, sums, rows);
        }
        else
        {
            Sum<F32>(weights, x, sums, rows);
        }
    }

    /// <summary>Adds the offsets' part to float32 results.</summary>
    public static void AddOffsets(GpuWeights weights, GpuMatrix results, ArrayView<float> sums, GpuMatrix y, int rows)
    {
        if (y.Element == GpuElement.Float16)
        {
            AddOffsets<F16>(weights, results, sums, y, rows);
        }
        else
        {
            AddOffsets<F32>(weights, results, sums, y, rows);
        }
    }

    private static KernelConfig Config(int rows, int groups = 1) =>
        (new Index3D(rows, groups, 1), new Index3D(InputKernels.Threads, 1, 1));

    private static void Gather<T>(GpuWeights weights, GpuMatrix x, GpuMatrix ordered, int rows)
        where T : unmanaged
    {
        var gather = x.Stream.Context.Kernels.Shared<Owner, Action<AcceleratorStream, KernelConfig, ArrayView<T>, ArrayView<int>, ArrayView<T>, int>>(
            static accelerator => accelerator.LoadKernel<ArrayView<T>, ArrayView<int>, ArrayView<T>, int>(InputKernels.Gather));
        gather(x.Stream.Stream, Config(rows), x.View<T>(), weights.Views.Order, ordered.View<T>(), weights.Shape.In);
    }

    private static void Sum<TX>(GpuWeights weights, GpuMatrix x, ArrayView<float> sums, int rows)
        where TX : unmanaged, IActivation<TX>
    {
        var sum = x.Stream.Context.Kernels.Shared<Owner, Action<AcceleratorStream, KernelConfig, ArrayView<TX>, ArrayView<float>, SimtShape>>(
            static accelerator => accelerator.LoadKernel<ArrayView<TX>, ArrayView<float>, SimtShape>(InputKernels.Sum));
        sum(x.Stream.Stream, Config(rows), x.View<TX>(), sums, new SimtShape(weights.Shape));
    }

    private static void AddOffsets<TY>(GpuWeights weights, GpuMatrix results, ArrayView<float> sums, GpuMatrix y, int rows)
        where TY : unmanaged, IActivation<TY>
    {
        var add = y.Stream.Context.Kernels.Shared<Owner, Action<AcceleratorStream, KernelConfig, ArrayView<float>, ArrayView<ILGPU.Half>, ArrayView<float>, ArrayView<TY>, SimtShape>>(
            static accelerator => accelerator.LoadKernel<ArrayView<float>, ArrayView<ILGPU.Half>, ArrayView<float>, ArrayView<TY>, SimtShape>(InputKernels.AddOffsets));
        int groups = Math.Min((weights.Shape.Out + InputKernels.Threads - 1) / InputKernels.Threads, MaxOutputGroups);
        add(y.Stream.Stream, Config(rows, groups), results.View<float>(), weights.Views.Offsets, sums, y.View<TY>(), new SimtShape(weights.Shape));
    }

    /// <summary>Names these kernels among those that all shapes share.</summary>
    private sealed class Owner;
}
