using System.Runtime.InteropServices;
using Q4Gen.Gpu.Kernels;

namespace Q4Gen.Gpu;

/// <summary>
/// An argument of a kernel in PTX, as it lies in memory: a number, a layer's shape, or a view, which ILGPU's kernels take as an
/// address and the number of elements.
/// </summary>
[StructLayout(LayoutKind.Explicit)]
internal readonly struct PtxArgument
{
    [FieldOffset(0)]
    private readonly int _number;

    [FieldOffset(0)]
    private readonly SimtShape _shape;

    [FieldOffset(0)]
    private readonly long _address;

    [FieldOffset(8)]
    private readonly long _length;

    private PtxArgument(int number)
    {
        _number = number;
    }

    private PtxArgument(SimtShape shape)
    {
        _shape = shape;
    }

    private PtxArgument(long address, long length)
    {
        _address = address;
        _length = length;
    }

    public static implicit operator PtxArgument(int number) => new(number);

    /// <summary>An address; what follows it in memory is not looked at.</summary>
    public static implicit operator PtxArgument(nint address) => new(address, 0);

    public static implicit operator PtxArgument(Linear4BitShape shape) => new(new SimtShape(shape));

    /// <summary>Elements of so many bytes each.</summary>
    public static PtxArgument View(DeviceRange range, int elementBytes) => new(range.Address, range.Bytes / elementBytes);
}
