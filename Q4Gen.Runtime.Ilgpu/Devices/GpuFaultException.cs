namespace Q4Gen.Gpu;

/// <summary>
/// CUDA's driver reports a fault, or does not take a kernel. Of programs that are built with <c>Q4GenPtx</c>; in others ILGPU throws
/// its own.
/// </summary>
public sealed class GpuFaultException : Exception
{
    /// <summary>Says what was asked for and what the driver says.</summary>
    public GpuFaultException(string message)
        : base(message)
    {
    }
}
