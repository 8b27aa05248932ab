using ILGPU;
using ILGPU.Runtime;
using Q4Gen.Gpu.Kernels;

namespace Q4Gen.Gpu;

/// <summary>The kernels of one shape on one GPU through ILGPU, loaded as they are asked for.</summary>
internal sealed class IlgpuLayerKernels : LayerKernels
{
    private readonly IlgpuKernels _kernels;
    private readonly GpuKernelFamily? _family;
    private readonly TensorLauncher?[] _tensor;
    private readonly object?[] _simt = new object?[4];

    public IlgpuLayerKernels(IlgpuKernels kernels, Linear4BitShape shape, GpuKernelFamily? family)
        : base(shape)
    {
        _kernels = kernels;
        _family = family;
        TensorKernels = family?.TensorKernels ?? [];
        _tensor = new TensorLauncher?[TensorKernels.Count];
    }

    /// <summary>The kernels for tensor cores, those for the fewest rows first.</summary>
    public IReadOnlyList<TensorKernel> TensorKernels { get; }

    public override string Name => _family?.Name ?? "the generic GPU kernel";

    public override bool HasTensorKernels => TensorKernels.Count > 0;

    protected override bool HasSimtKernels => _family is not null;

    public override void RunTensor(DeviceQueue queue, GpuWeights weights, nint x, nint y, int rows, TensorFlags flags)
    {
        int index = 0;
        while (index < _tensor.Length - 1 && rows > TensorKernels[index].MaxRows)
        {
            index++;
        }

        (_tensor[index] ?? Load(index)).Run(IlgpuKernels.Stream(queue), weights, x, y, rows, flags);
    }

    protected override void RunSimt(DeviceQueue queue, SimtRole role, GpuWeights weights, GpuMatrix x, GpuMatrix y, int rows, int rowGroups)
    {
        switch (x.Element, y.Element)
        {
            case (GpuElement.Float32, GpuElement.Float32):
                Simt<F32, F32>().Run(queue, role, weights, x, y, rows, rowGroups);
                break;
            case (GpuElement.Float32, GpuElement.Float16):
                Simt<F32, F16>().Run(queue, role, weights, x, y, rows, rowGroups);
                break;
            case (GpuElement.Float16, GpuElement.Float32):
                Simt<F16, F32>().Run(queue, role, weights, x, y, rows, rowGroups);
                break;
            default:
                Simt<F16, F16>().Run(queue, role, weights, x, y, rows, rowGroups);
                break;
        }
    }

    /// <summary>The SIMT kernels for elements of these types.</summary>
    private SimtLauncher<TX, TY> Simt<TX, TY>()
        where TX : unmanaged, IActivation<TX>
        where TY : unmanaged, IActivation<TY>
    {
        ref object? known = ref _simt[(typeof(TX) == typeof(F16) ? 1 : 0) + (typeof(TY) == typeof(F16) ? 2 : 0)];
        return (SimtLauncher<TX, TY>)(known ?? LoadSimt<TX, TY>(out known));
    }

    /// <summary>Apart from the call, which would make its closure every time; so is the next one.</summary>
    private SimtLauncher<TX, TY> LoadSimt<TX, TY>(out object? known)
        where TX : unmanaged, IActivation<TX>
        where TY : unmanaged, IActivation<TY>
    {
        SimtLauncher<TX, TY> launcher = _kernels.Load(accelerator => new SimtLauncher<TX, TY>(accelerator, _family, Shape));
        known = launcher;
        return launcher;
    }

    private TensorLauncher Load(int index) =>
        _tensor[index] = _kernels.Load(accelerator => new TensorLauncher(accelerator, TensorKernels[index], Shape));

    /// <summary>A loaded kernel for tensor cores.</summary>
    private sealed class TensorLauncher(Accelerator accelerator, TensorKernel kernel, Linear4BitShape shape)
    {
        private readonly Action<AcceleratorStream, KernelConfig, long, long, long, long, long, int, int> _launch =
            accelerator.LoadKernel(kernel.Body, new KernelSpecialization(kernel.Threads, kernel.MinGroups));

        /// <summary>Launches it; the addresses are those that <see cref="TensorKernel"/> names.</summary>
        public void Run(AcceleratorStream stream, GpuWeights weights, nint x, nint y, int rows, TensorFlags flags)
        {
            (int outputs, int rowGroups) = TensorGrid.Of(shape.Out, kernel.OutputsPerGroup, rows, kernel.RowsPerGroup);
            _launch(
                stream, (new Index3D(outputs, rowGroups, 1), new Index3D(kernel.Threads, 1, 1)),
                weights.Words.Address, weights.Scales.Address, weights.Bias.Address, x, y, rows, (int)flags);
        }
    }

    /// <summary>Loaded SIMT kernels.</summary>
    private sealed class SimtLauncher<TX, TY>
        where TX : unmanaged, IActivation<TX>
        where TY : unmanaged, IActivation<TY>
    {
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

        public void Run(DeviceQueue queue, SimtRole role, GpuWeights weights, GpuMatrix x, GpuMatrix y, int rows, int rowGroups)
        {
            AcceleratorStream stream = IlgpuKernels.Stream(queue);
            KernelConfig config = (new Index3D(_shape.Panels, rowGroups, 1), new Index3D(WarpThreads, 1, 1));
            ArrayView<int> words = weights.Words.View<int>();
            ArrayView<ILGPU.Half> scales = weights.Scales.View<ILGPU.Half>();
            ArrayView<float> bias = weights.Bias.View<float>();
            if (role == SimtRole.Generic)
            {
                _generic(stream, config, words, scales, bias, x.Range.View<TX>(), y.Range.View<TY>(), rows, new SimtShape(_shape));
            }
            else
            {
                (role == SimtRole.Gemv ? _gemv : _rows4)!(stream, config, words, scales, bias, x.Range.View<TX>(), y.Range.View<TY>(), rows);
            }
        }
    }
}
