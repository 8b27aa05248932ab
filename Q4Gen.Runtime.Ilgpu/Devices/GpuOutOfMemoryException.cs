using System.Globalization;

namespace Q4Gen.Gpu;

/// <summary>A GPU has not as much memory left as was asked for.</summary>
public sealed class GpuOutOfMemoryException : Exception
{
    internal GpuOutOfMemoryException(string device, long asked, long free, long total, Exception cause)
        : base(Describe(device, asked, free, total), cause)
    {
        BytesAsked = asked;
        BytesFree = free;
        BytesTotal = total;
    }

    /// <summary>Bytes that were asked for.</summary>
    public long BytesAsked { get; }

    /// <summary>Bytes that the device had free then, after everything in pools was given back.</summary>
    public long BytesFree { get; }

    /// <summary>Bytes that the device has.</summary>
    public long BytesTotal { get; }

    private static string Describe(string device, long asked, long free, long total) => string.Create(
        CultureInfo.InvariantCulture,
        $"{device} has no {asked:N0} bytes left: {free:N0} of its {total:N0} bytes are free. Dispose tensors and layers that are no longer needed, or use a device with more memory.");
}
