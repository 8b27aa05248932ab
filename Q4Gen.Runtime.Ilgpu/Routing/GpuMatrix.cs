namespace Q4Gen.Gpu;

/// <summary>Rows in a GPU's memory as routing takes them: a caller's tensor, or memory of the stream's pool.</summary>
/// <param name="Stream">The stream that uses it.</param>
/// <param name="Element">What its elements are.</param>
/// <param name="Range">Where they lie.</param>
internal readonly record struct GpuMatrix(GpuStream Stream, GpuElement Element, DeviceRange Range)
{
    /// <summary>Bytes that the vectors of kernels are aligned to.</summary>
    private const int Alignment = 16;

    /// <summary>Where the first element lies.</summary>
    public nint Address => Range.Address;

    /// <summary>Whether vectors can be loaded from it.</summary>
    public bool IsAligned => Address % Alignment == 0;

    /// <summary>A caller's tensor.</summary>
    public static GpuMatrix Of(GpuTensor tensor) => new(tensor.Stream, tensor.Element, tensor.Range);

    /// <summary>The first <paramref name="count"/> elements of memory of a stream's pool.</summary>
    public static GpuMatrix Of(GpuStream stream, DeviceMemory memory, GpuElement element, long count) =>
        new(stream, element, memory.All.Part(0, count * GpuTensor.SizeOf(element)));

    /// <summary>Some of its rows.</summary>
    public GpuMatrix Rows(int first, int count, int columns)
    {
        long rowBytes = (long)columns * GpuTensor.SizeOf(Element);
        return this with { Range = Range.Part(first * rowBytes, count * rowBytes) };
    }
}
