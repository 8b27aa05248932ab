namespace Q4Gen.Gpu;

/// <summary>A GPU was asked for and there is none to be had; the message says why, and what to do.</summary>
public sealed class GpuUnavailableException : Exception
{
    /// <summary>Creates one.</summary>
    public GpuUnavailableException(string message)
        : base(message)
    {
    }

    /// <summary>Creates one that has a cause.</summary>
    public GpuUnavailableException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
