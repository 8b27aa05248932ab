namespace Q4Gen.Benchmarks.Gpu;

/// <summary>What a layer has beside weights, scales and bias.</summary>
[Flags]
internal enum GpuLayerParts
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>An offset beside each scale.</summary>
    Offsets = 1,

    /// <summary>Columns in another order than inputs.</summary>
    Order = 2,
}
