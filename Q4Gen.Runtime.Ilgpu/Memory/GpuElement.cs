namespace Q4Gen.Gpu;

/// <summary>What the elements of a <see cref="GpuTensor"/> are.</summary>
public enum GpuElement
{
    /// <summary>32-bit floating point.</summary>
    Float32,

    /// <summary>16-bit floating point, IEEE 754 binary16.</summary>
    Float16,
}
