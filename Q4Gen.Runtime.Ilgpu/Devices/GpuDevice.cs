namespace Q4Gen.Gpu;

/// <summary>A CUDA device that the driver reports.</summary>
/// <param name="Index">Its index, as <see cref="GpuContext.Create(int?)"/> takes it.</param>
/// <param name="Name">Its name.</param>
/// <param name="Major">Compute capability, major.</param>
/// <param name="Minor">Compute capability, minor.</param>
/// <param name="Multiprocessors">Multiprocessors.</param>
/// <param name="MemoryBytes">Bytes of memory.</param>
public sealed record GpuDevice(int Index, string Name, int Major, int Minor, int Multiprocessors, long MemoryBytes)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Index}: {Name} (sm_{Major}{Minor}, {Multiprocessors} multiprocessors, {MemoryBytes >> 20} MiB)";
}
