using Q4Gen.Format;

namespace Q4Gen.PackedFiles;

/// <summary>What a file of panels is made of beside the layout of panels itself, <see cref="PanelLayout"/>.</summary>
internal static class PackedFormat
{
    /// <summary>The metadata key under which a file says which layout its panels have.</summary>
    public const string LayoutKey = "q4gen_layout";

    /// <summary>U32 <c>[panels, steps, 16]</c>.</summary>
    public const string WeightSuffix = "weight_r16k8";

    /// <summary>F16 <c>[panels, groups, 16]</c>.</summary>
    public const string ScalesSuffix = "scales_r16k8";

    /// <summary>F16 <c>[panels, groups, 16]</c>.</summary>
    public const string OffsetsSuffix = "offsets_r16k8";

    /// <summary>F32 <c>[panels, 16]</c>.</summary>
    public const string BiasSuffix = "bias_r16k8";

    /// <summary>
    /// U8 <c>[0, in, out, group]</c>, no bytes: panels are padded, so their own sizes do not tell the layer's. In the header,
    /// a load reads no page for it.
    /// </summary>
    public const string ShapeSuffix = "shape_r16k8";

    /// <summary>U8 <c>[bytes]</c> of zeros, numbered: what lies between tensors that are aligned.</summary>
    public const string PaddingPrefix = "q4gen_padding.";

    /// <summary>U8 <c>[tensors, 32]</c>: SHA-256 of every other tensor, by name.</summary>
    public const string HashName = "q4gen_sha256";

    /// <summary>Where whatever kernels read starts in the file: at lines of the cache.</summary>
    public const int Alignment = 64;

    /// <summary>Where the words of a layer start: at a page, so that no two layers share one.</summary>
    public const int PageAlignment = 4096;

    /// <summary>What to do about a file that is not as it should be.</summary>
    public const string PackAgain = "run 'q4gen pack' again on the model that it was made from";

    private static readonly string[] s_suffixes = [ShapeSuffix, WeightSuffix, ScalesSuffix, OffsetsSuffix, BiasSuffix];

    /// <summary>The suffixes of a layer's tensors that no other file has.</summary>
    public static ReadOnlySpan<string> Suffixes => s_suffixes;

    /// <summary>Whether a tensor belongs to the file and to nothing in the model.</summary>
    public static bool IsFiller(string name) => name == HashName || name.StartsWith(PaddingPrefix, StringComparison.Ordinal);

    /// <summary>Whether a source has panels of this layout, or says that it has some of another.</summary>
    public static bool IsPacked(IWeightSource source) =>
        source.Metadata.ContainsKey(LayoutKey) || FindLayers(source).Count != 0;

    /// <summary>The layers of which a source has any part in panels, in the order of their names.</summary>
    public static SortedSet<string> FindLayers(IWeightSource source) => new(
        source.Names.Select(static name => Array.ConvertAll(s_suffixes, suffix => PrefixOf(name, suffix)).FirstOrDefault(static prefix => prefix is not null)).OfType<string>(),
        StringComparer.Ordinal);

    /// <summary>The layer whose tensor of this suffix a name is; null where it is none.</summary>
    public static string? PrefixOf(string name, string suffix) =>
        name == suffix ? ""
        : name.EndsWith(suffix, StringComparison.Ordinal) && name[^(suffix.Length + 1)] == '.' ? name[..^(suffix.Length + 1)]
        : null;
}
