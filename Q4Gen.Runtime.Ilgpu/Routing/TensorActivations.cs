using ILGPU;
using ILGPU.Runtime;
using Q4Gen.Format;
using Q4Gen.Gpu.Kernels;

namespace Q4Gen.Gpu;

/// <summary>
/// x as tensor cores take it, where it does not come so: float32 as two planes of float16, rows that end inside a step
/// padded. In memory of x's stream, which whatever comes later on that stream may use again.
/// </summary>
internal readonly struct TensorActivations : IDisposable
{
    private readonly GpuStream _stream;
    private readonly MemoryBuffer1D<byte, Stride1D.Dense> _values;
    private readonly MemoryBuffer1D<byte, Stride1D.Dense>? _exponents;
    private readonly int _inputRows;

    private TensorActivations(
        GpuStream stream, MemoryBuffer1D<byte, Stride1D.Dense> values, MemoryBuffer1D<byte, Stride1D.Dense>? exponents, int inputRows)
    {
        _stream = stream;
        _values = values;
        _exponents = exponents;
        _inputRows = inputRows;
    }

    /// <summary>Rows that the kernel gets.</summary>
    public int Rows => _exponents is null ? _inputRows : 2 * _inputRows;

    /// <summary>Where they lie.</summary>
    public long Address => _values.NativePtr;

    /// <summary>Columns that a row takes: whole steps.</summary>
    public static int Columns(Linear4BitShape shape) => shape.Steps * PanelLayout.StepColumns;

    /// <summary>Launches what prepares x.</summary>
    public static TensorActivations Prepare(GpuMatrix x, Linear4BitShape shape, int rows)
    {
        GpuStream stream = x.Stream;
        GpuKernelCache kernels = stream.Context.Kernels;
        int columns = Columns(shape);
        KernelConfig config = (new Index3D(rows, 1, 1), new Index3D(Planes.Threads, 1, 1));
        if (x.Element == GpuElement.Float16)
        {
            MemoryBuffer1D<byte, Stride1D.Dense> padded = stream.Pool.Rent((long)rows * columns * sizeof(ushort));
            var pad = kernels.Shared<TensorActivations, Action<AcceleratorStream, KernelConfig, ArrayView<ILGPU.Half>, ArrayView<ILGPU.Half>, int, int>>(
                static accelerator => accelerator.LoadKernel<ArrayView<ILGPU.Half>, ArrayView<ILGPU.Half>, int, int>(Planes.Pad));
            pad(stream.Stream, config, x.View<ILGPU.Half>(), padded.View.BaseView.Cast<ILGPU.Half>(), shape.In, columns);
            return new TensorActivations(stream, padded, null, rows);
        }

        MemoryBuffer1D<byte, Stride1D.Dense> planes = stream.Pool.Rent(2L * rows * columns * sizeof(ushort));
        MemoryBuffer1D<byte, Stride1D.Dense> exponents = stream.Pool.Rent((long)rows * sizeof(int));
        var split = kernels.Shared<TensorActivations, Action<AcceleratorStream, KernelConfig, ArrayView<float>, ArrayView<ILGPU.Half>, ArrayView<int>, int, int>>(
            static accelerator => accelerator.LoadKernel<ArrayView<float>, ArrayView<ILGPU.Half>, ArrayView<int>, int, int>(Planes.Split));
        split(
            stream.Stream, config, x.View<float>(), planes.View.BaseView.Cast<ILGPU.Half>(), exponents.View.BaseView.Cast<int>(), shape.In, columns);
        return new TensorActivations(stream, planes, exponents, rows);
    }

    /// <summary>Launches what makes results of sums without bias.</summary>
    public void Finish<TY>(ArrayView<float> sums, ArrayView<float> bias, ArrayView<TY> y, int outFeatures)
        where TY : unmanaged, IActivation<TY>
    {
        GpuKernelCache kernels = _stream.Context.Kernels;
        KernelConfig config = (new Index3D(_inputRows, 1, 1), new Index3D(Planes.Threads, 1, 1));
        if (_exponents is null)
        {
            var copy = kernels.Shared<TY, Action<AcceleratorStream, KernelConfig, ArrayView<float>, ArrayView<float>, ArrayView<TY>, int>>(
                static accelerator => accelerator.LoadKernel<ArrayView<float>, ArrayView<float>, ArrayView<TY>, int>(Planes.Copy));
            copy(_stream.Stream, config, sums, bias, y, outFeatures);
            return;
        }

        var join = kernels.Shared<TY, Action<AcceleratorStream, KernelConfig, ArrayView<float>, ArrayView<int>, ArrayView<float>, ArrayView<TY>, int>>(
            static accelerator => accelerator.LoadKernel<ArrayView<float>, ArrayView<int>, ArrayView<float>, ArrayView<TY>, int>(Planes.Join));
        join(_stream.Stream, config, sums, _exponents.View.BaseView.Cast<int>(), bias, y, outFeatures);
    }

    public void Dispose()
    {
        _stream.Pool.Return(_values);
        if (_exponents is not null)
        {
            _stream.Pool.Return(_exponents);
        }
    }
}
