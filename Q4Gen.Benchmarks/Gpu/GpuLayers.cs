namespace Q4Gen.Benchmarks.Gpu;

/// <summary>The shapes that <c>gpu</c> knows: kernels are generated for those annotated here and in Layers.cs.</summary>
internal static partial class GpuLayers
{
    /// <summary>Those that are timed where nothing else is asked for, as scripts/gpu_peers.py has them.</summary>
    public static IReadOnlyList<Linear4BitShape> Timed { get; } =
        [new(4096, 11008, 128), new(11008, 4096, 128), new(4096, 4096, 64), new(2048, 5632, 32), new(4096, 14336, 128), new(8192, 28672, 128)];

    /// <summary>Those that are timed in a hurry.</summary>
    public static IReadOnlyList<Linear4BitShape> Quick { get; } = [new(4096, 11008, 128), new(2048, 5632, 32)];

    /// <summary>
    /// What ends inside a step, a panel, a fragment or a group, for verification; the last two have no kernel for tensor
    /// cores, and no kernel of their own at all.
    /// </summary>
    public static IReadOnlyList<Linear4BitShape> Ragged { get; } =
        [new(130, 33, 64), new(172, 64, 64), new(352, 128, 128), new(1500, 81, 96), new(20, 24, 16), new(40, 24, 12)];

    /// <summary>Those that an emulated GPU verifies in seconds.</summary>
    public static IReadOnlyList<Linear4BitShape> Tiny { get; } = [new(20, 24, 16), new(40, 24, 12)];

    /// <summary>Those that are also verified with offsets and an input order: ragged ones, a large one, one without kernels for tensor cores.</summary>
    public static IReadOnlyList<(Linear4BitShape Shape, GpuLayerParts Parts)> WithParts { get; } =
        [.. new Linear4BitShape[] { new(130, 33, 64), new(1500, 81, 96), new(4096, 11008, 128), new(20, 24, 16) }.SelectMany(PartsOf)];

    /// <summary>Of those the one for an emulated GPU.</summary>
    public static IReadOnlyList<(Linear4BitShape Shape, GpuLayerParts Parts)> TinyWithParts { get; } = [(new(20, 24, 16), GpuLayerParts.Offsets | GpuLayerParts.Order)];

    /// <summary>All of them.</summary>
    public static IReadOnlyList<Linear4BitShape> All { get; } = [.. Timed, .. Ragged];

    /// <summary>A shape's layers with offsets, with an input order, and with both.</summary>
    public static IReadOnlyList<(Linear4BitShape Shape, GpuLayerParts Parts)> PartsOf(Linear4BitShape shape) =>
        [(shape, GpuLayerParts.Offsets), (shape, GpuLayerParts.Order), (shape, GpuLayerParts.Offsets | GpuLayerParts.Order)];

    /// <summary>A newer 8B Llama's gate.</summary>
    [Linear4Bit(In = 4096, Out = 14336, Group = 128)]
    private sealed partial class Gate4096x14336;

    /// <summary>The gate of a 70B Llama.</summary>
    [Linear4Bit(In = 8192, Out = 28672, Group = 128)]
    private sealed partial class Gate8192x28672;

    /// <summary>A last group of two columns, alone in its step, and a last panel of one row.</summary>
    [Linear4Bit(In = 130, Out = 33, Group = 64)]
    private sealed partial class LastColumns;

    /// <summary>A last group of 44 columns and a last step of 4.</summary>
    [Linear4Bit(In = 172, Out = 64, Group = 64)]
    private sealed partial class RaggedGroup;

    /// <summary>A last group of 96 columns.</summary>
    [Linear4Bit(In = 352, Out = 128, Group = 128)]
    private sealed partial class RaggedWide;

    /// <summary>Groups of three fragments, a last step of 4 columns and a last panel of one row.</summary>
    [Linear4Bit(In = 1500, Out = 81, Group = 96)]
    private sealed partial class ThreeFragments;

    /// <summary>Groups of half a fragment: not for tensor cores.</summary>
    [Linear4Bit(In = 20, Out = 24, Group = 16)]
    private sealed partial class HalfFragments;
}
