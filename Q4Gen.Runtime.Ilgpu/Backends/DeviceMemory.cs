namespace Q4Gen.Gpu;

/// <summary>One piece of a GPU's memory; disposing frees it.</summary>
internal abstract class DeviceMemory : IDisposable
{
    /// <summary>Where it lies on the device.</summary>
    public abstract nint Address { get; }

    /// <summary>Bytes.</summary>
    public abstract long Bytes { get; }

    /// <summary>All of it.</summary>
    public DeviceRange All => new(this, 0, Bytes);

    /// <inheritdoc/>
    public abstract void Dispose();
}

/// <summary>Some bytes of a GPU's memory, as kernels take them.</summary>
/// <param name="Memory">The piece that they are part of; null of none.</param>
/// <param name="First">The first of them.</param>
/// <param name="Bytes">How many.</param>
internal readonly record struct DeviceRange(DeviceMemory? Memory, long First, long Bytes)
{
    /// <summary>Where the first one lies on the device.</summary>
    public nint Address => Memory is null ? 0 : Memory.Address + (nint)First;

    /// <summary>Some of them.</summary>
    public DeviceRange Part(long first, long bytes) => this with { First = First + first, Bytes = bytes };
}
