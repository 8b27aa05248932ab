using Q4Gen.Format;

namespace Q4Gen.Gpu;

/// <summary>
/// x as tensor cores take it, where it does not come so: float32 as two planes of float16, rows that end inside a step
/// padded. In memory of x's stream, which whatever comes later on that stream may use again.
/// </summary>
internal readonly struct TensorActivations : IDisposable
{
    private readonly GpuStream _stream;
    private readonly DeviceMemory _values;
    private readonly DeviceMemory? _exponents;
    private readonly int _inputRows;

    private TensorActivations(
        GpuStream stream, DeviceMemory values, DeviceMemory? exponents, int inputRows)
    {
        _stream = stream;
        _values = values;
        _exponents = exponents;
        _inputRows = inputRows;
    }

    /// <summary>Rows that the kernel gets.</summary>
    public int Rows => _exponents is null ? _inputRows : 2 * _inputRows;

    /// <summary>Where they lie.</summary>
    public nint Address => _values.Address;

    /// <summary>Columns that a row takes: whole steps.</summary>
    public static int Columns(Linear4BitShape shape) => shape.Steps * PanelLayout.StepColumns;

    /// <summary>Launches what prepares x.</summary>
    public static TensorActivations Prepare(GpuMatrix x, Linear4BitShape shape, int rows)
    {
        GpuStream stream = x.Stream;
        DeviceKernels kernels = stream.Context.Kernels;
        int columns = Columns(shape);
        if (x.Element == GpuElement.Float16)
        {
            DeviceMemory padded = stream.Pool.Rent((long)rows * columns * sizeof(ushort));
            kernels.Pad(stream.Queue, x.Range, padded.All, shape.In, columns, rows);
            return new TensorActivations(stream, padded, null, rows);
        }

        DeviceMemory planes = stream.Pool.Rent(2L * rows * columns * sizeof(ushort));
        DeviceMemory exponents = stream.Pool.Rent((long)rows * sizeof(int));
        kernels.SplitPlanes(stream.Queue, x.Range, planes.All, exponents.All, shape.In, columns, rows);
        return new TensorActivations(stream, planes, exponents, rows);
    }

    /// <summary>Launches what makes results of sums without bias.</summary>
    public void Finish(DeviceRange sums, DeviceRange bias, GpuMatrix y, int outFeatures)
    {
        DeviceKernels kernels = _stream.Context.Kernels;
        if (_exponents is null)
        {
            kernels.Copy(_stream.Queue, y.Element, sums, bias, y.Range, outFeatures, _inputRows);
        }
        else
        {
            kernels.Join(_stream.Queue, y.Element, sums, _exponents.All, bias, y.Range, outFeatures, _inputRows);
        }
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
