using ILGPU;
using ILGPU.Runtime;
using Q4Gen.Gpu.Kernels;

namespace Q4Gen.Gpu;

/// <summary>The kernels of one shape on one GPU, loaded as they are asked for.</summary>
internal sealed class GpuLayerKernels
{
    /// <summary>Threads of a SIMT group: one warp.</summary>
    private const int WarpThreads = 32;

    private readonly GpuKernelCache _cache;
    private readonly Linear4BitShape _shape;
    private readonly GpuKernelFamily? _family;
    private readonly TensorLauncher?[] _tensor;
    private readonly object?[] _simt = new object?[4];

    public GpuLayerKernels(GpuKernelCache cache, Linear4BitShape shape, GpuKernelFamily? family)
    {
        _cache = cache;
        _shape = shape;
        _family = family;
        TensorKernels = family?.TensorKernels ?? [];
        _tensor = new TensorLauncher?[TensorKernels.Count];
    }

    /// <summary>The kernels for tensor cores, those for the fewest rows first.</summary>
    public IReadOnlyList<TensorKernel> TensorKernels { get; }

    /// <summary>What computes, as descriptions name it.</summary>
    public string Name => _family?.Name ?? "the generic GPU kernel";

    /// <summary>The tensor kernel for so many rows.</summary>
    public TensorLauncher Tensor(int rows)
    {
        int index = 0;
        while (index < _tensor.Length - 1 && rows > TensorKernels[index].MaxRows)
        {
            index++;
        }

        return _tensor[index] ?? Load(index);
    }

    /// <summary>The SIMT kernels for elements of these types.</summary>
    public SimtLauncher<TX, TY> Simt<TX, TY>()
        where TX : unmanaged, IActivation<TX>
        where TY : unmanaged, IActivation<TY>
    {
        ref object? known = ref _simt[(typeof(TX) == typeof(F16) ? 1 : 0) + (typeof(TY) == typeof(F16) ? 2 : 0)];
        return (SimtLauncher<TX, TY>)(known ??= _cache.Load(accelerator => new SimtLauncher<TX, TY>(accelerator, _family, _shape)));
    }

    /// <summary>Apart from the call, which would make its closure every time.</summary>
    private TensorLauncher Load(int index) =>
        _tensor[index] = _cache.Load(accelerator => new TensorLauncher(accelerator, TensorKernels[index], _shape));

    /// <summary>A loaded kernel for tensor cores.</summary>
    public sealed class TensorLauncher(Accelerator accelerator, TensorKernel kernel, Linear4BitShape shape)
    {
        private readonly Action<AcceleratorStream, KernelConfig, long, long, long, long, long, int, int> _launch =
            accelerator.LoadKernel(kernel.Body, new KernelSpecialization(kernel.Threads, kernel.MinGroups));

        private readonly int _outputGroups = (shape.Out + kernel.OutputsPerGroup - 1) / kernel.OutputsPerGroup;

        /// <summary>Launches it; the addresses are those that <see cref="TensorKernel"/> names.</summary>
        public void Run(GpuStream stream, DevicePointers weights, long x, long y, int rows, TensorFlags flags)
        {
            var grid = new Index3D(_outputGroups, (rows + kernel.RowsPerGroup - 1) / kernel.RowsPerGroup, 1);
            _launch(
                stream.Stream, (grid, new Index3D(kernel.Threads, 1, 1)), weights.Words, weights.Scales, weights.Bias, x, y, rows, (int)flags);
        }
    }

    /// <summary>Loaded SIMT kernels.</summary>
    public sealed class SimtLauncher<TX, TY>
        where TX : unmanaged, IActivation<TX>
        where TY : unmanaged, IActivation<TY>
    {
        /// <summary>The most groups that a grid has in its second dimension. CUDA C++ Programming Guide, "Technical Specifications".</summary>
        private const int MaxRowGroups = 65535;

        private readonly Action<AcceleratorStream, KernelConfig, ArrayView<int>, ArrayView<ILGPU.Half>, ArrayView<float>, ArrayView<TX>, ArrayView<TY>, int>? _gemv;
        private readonly Action<AcceleratorStream, KernelConfig, ArrayView<int>, ArrayView<ILGPU.Half>, ArrayView<float>, ArrayView<TX>, ArrayView<TY>, int>? _rows4;
        private readonly Action<AcceleratorStream, KernelConfig, ArrayView<int>, ArrayView<ILGPU.Half>, ArrayView<float>, ArrayView<TX>, ArrayView<TY>, int, SimtShape> _generic;
        private readonly Linear4BitShape _shape;

        public SimtLauncher(Accelerator accelerator, GpuKernelFamily? family, Linear4BitShape shape)
        {
            _shape = shape;
            var specialization = new KernelSpecialization(WarpThreads, null);
            _generic = accelerator.LoadKernel<ArrayView<int>, ArrayView<ILGPU.Half>, ArrayView<float>, ArrayView<TX>, ArrayView<TY>, int, SimtShape>(
                GenericSimtKernel.Gemv, specialization);
            if (family is not null)
            {
                _gemv = accelerator.LoadKernel(family.Gemv<TX, TY>(), specialization);
                _rows4 = accelerator.LoadKernel(family.Rows4<TX, TY>(), specialization);
            }
        }

        /// <summary>Launches the kernel that fits; the generic one where there is no other, or x or y is not aligned for vectors.</summary>
        public void Run(GpuStream stream, DeviceViews weights, ArrayView<TX> x, ArrayView<TY> y, int rows, bool isAligned)
        {
            bool isGeneric = _gemv is null || !isAligned;
            int rowsPerGroup = isGeneric || rows == 1 ? 1 : GpuKernelFamily.SimtRows;
            for (int first = 0; first < rows; first += MaxRowGroups * rowsPerGroup)
            {
                int count = Math.Min(rows - first, MaxRowGroups * rowsPerGroup);
                ArrayView<TX> some = x.SubView((long)first * _shape.In, (long)count * _shape.In);
                ArrayView<TY> results = y.SubView((long)first * _shape.Out, (long)count * _shape.Out);
                KernelConfig config = (new Index3D(_shape.Panels, (count + rowsPerGroup - 1) / rowsPerGroup, 1), new Index3D(WarpThreads, 1, 1));
                if (isGeneric)
                {
                    _generic(stream.Stream, config, weights.Words, weights.Scales, weights.Bias, some, results, count, new SimtShape(_shape));
                }
                else
                {
                    (rowsPerGroup == 1 ? _gemv : _rows4)!(
                        stream.Stream, config, weights.Words, weights.Scales, weights.Bias, some, results, count);
                }
            }
        }
    }
}

/// <summary>Where a layer's weights lie on a GPU, as kernels in C# take them; offsets and order only where it has them.</summary>
internal readonly record struct DeviceViews(
    ArrayView<int> Words, ArrayView<ILGPU.Half> Scales, ArrayView<float> Bias, ArrayView<ILGPU.Half> Offsets, ArrayView<int> Order);

/// <summary>Where a layer's weights lie on a GPU, as kernels in PTX take them.</summary>
internal readonly record struct DevicePointers(long Words, long Scales, long Bias);
