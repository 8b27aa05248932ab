namespace Q4Gen.Gpu;

/// <summary>The kernels that all shapes share, in PTX: names of the entries of <c>Ptx/shared.ptx</c>, with the elements they are for.</summary>
internal static class SharedPtx
{
    /// <summary>Threads of a group of <see cref="SplitNibbles"/>.</summary>
    public const int SplitThreads = 256;

    public const string SplitNibbles = "split_nibbles";
    public const string GatherF32 = "gather_f32", GatherF16 = "gather_f16";
    public const string SumF32 = "sum_f32", SumF16 = "sum_f16";
    public const string AddOffsetsF32 = "add_offsets_f32", AddOffsetsF16 = "add_offsets_f16";
    public const string SplitPlanes = "split_planes", Pad = "pad";
    public const string JoinF32 = "join_f32", JoinF16 = "join_f16";
    public const string CopyF32 = "copy_f32", CopyF16 = "copy_f16";
    public const string Unpack = "unpack";

    private const string ResourceName = "Q4Gen.Gpu.shared.ptx";

    /// <summary>The kernel that multiplies unpacked weights.</summary>
    public static string Multiply(GpuElement x, GpuElement y) => (x, y) switch
    {
        (GpuElement.Float32, GpuElement.Float32) => "multiply_f32_f32",
        (GpuElement.Float32, GpuElement.Float16) => "multiply_f32_f16",
        (GpuElement.Float16, GpuElement.Float32) => "multiply_f16_f32",
        _ => "multiply_f16_f16",
    };

    /// <summary>The kernel for every shape.</summary>
    public static string Generic(GpuElement x, GpuElement y) => (x, y) switch
    {
        (GpuElement.Float32, GpuElement.Float32) => "generic_f32_f32",
        (GpuElement.Float32, GpuElement.Float16) => "generic_f32_f16",
        (GpuElement.Float16, GpuElement.Float32) => "generic_f16_f32",
        _ => "generic_f16_f16",
    };

    /// <summary>The module's text.</summary>
    public static string Text()
    {
        using Stream stream = typeof(SharedPtx).Assembly.GetManifestResourceStream(ResourceName)!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
