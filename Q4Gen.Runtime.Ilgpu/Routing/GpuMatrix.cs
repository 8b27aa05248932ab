using ILGPU;
using ILGPU.Runtime;

namespace Q4Gen.Gpu;

/// <summary>Rows in a GPU's memory as routing takes them: a caller's tensor, or memory of the stream's pool.</summary>
internal readonly struct GpuMatrix
{
    /// <summary>Bytes that the vectors of kernels are aligned to.</summary>
    private const int Alignment = 16;

    private readonly ArrayView<byte> _bytes;

    private GpuMatrix(GpuStream stream, GpuElement element, ArrayView<byte> bytes, nint address)
    {
        Stream = stream;
        Element = element;
        _bytes = bytes;
        Address = address;
    }

    /// <summary>The stream that uses it.</summary>
    public GpuStream Stream { get; }

    /// <summary>What its elements are.</summary>
    public GpuElement Element { get; }

    /// <summary>Where the first element lies.</summary>
    public nint Address { get; }

    /// <summary>Whether vectors can be loaded from it.</summary>
    public bool IsAligned => Address % Alignment == 0;

    /// <summary>A caller's tensor.</summary>
    public static GpuMatrix Of(GpuTensor tensor) => new(tensor.Stream, tensor.Element, tensor.View<byte>(), tensor.Address);

    /// <summary>The first <paramref name="count"/> elements of memory of a stream's pool.</summary>
    public static GpuMatrix Of(GpuStream stream, MemoryBuffer1D<byte, Stride1D.Dense> memory, GpuElement element, long count) =>
        new(stream, element, memory.View.BaseView.SubView(0, count * GpuTensor.SizeOf(element)), memory.NativePtr);

    /// <summary>Its elements.</summary>
    public ArrayView<T> View<T>()
        where T : unmanaged => _bytes.Cast<T>();
}
