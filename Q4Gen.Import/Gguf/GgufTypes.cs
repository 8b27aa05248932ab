namespace Q4Gen.Import.Gguf;

/// <summary>Sizes of what a file is made of, and words for messages.</summary>
internal static class GgufTypes
{
    /// <summary>Where a whole file is damaged, there is one thing to do.</summary>
    public const string FetchAgain = "the file is damaged or is no GGUF file; fetch or write it again";

    // Numbers of ggml's types that are not taken, so that a message can say which it is.
    private static readonly Dictionary<uint, string> s_others = new()
    {
        [4] = "Q4_2", [5] = "Q4_3", [9] = "Q8_1", [10] = "Q2_K", [11] = "Q3_K", [15] = "Q8_K", [16] = "IQ2_XXS", [17] = "IQ2_XS", [18] = "IQ3_XXS",
        [19] = "IQ1_S", [20] = "IQ4_NL", [21] = "IQ3_S", [22] = "IQ2_S", [23] = "IQ4_XS", [24] = "I8", [25] = "I16", [26] = "I32", [27] = "I64",
        [28] = "F64", [29] = "IQ1_M", [34] = "TQ1_0", [35] = "TQ2_0", [39] = "MXFP4",
    };

    /// <summary>Elements and bytes of a block.</summary>
    public static (int Elements, int Bytes) Block(GgufTensorType type) => type switch
    {
        GgufTensorType.F32 => (1, 4),
        GgufTensorType.F16 or GgufTensorType.BF16 => (1, 2),
        GgufTensorType.Q4_0 => (32, 2 + 16),
        GgufTensorType.Q4_1 => (32, 2 + 2 + 16),
        GgufTensorType.Q5_0 => (32, 2 + 4 + 16),
        GgufTensorType.Q5_1 => (32, 2 + 2 + 4 + 16),
        GgufTensorType.Q8_0 => (32, 2 + 32),
        GgufTensorType.Q4_K => (256, 2 + 2 + 12 + 128),
        GgufTensorType.Q5_K => (256, 2 + 2 + 12 + 32 + 128),
        GgufTensorType.Q6_K => (256, 128 + 64 + 16 + 2),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Not a type of tensors."),
    };

    /// <summary>The element type of tensors that need no decoding; null for blocks.</summary>
    public static TensorType? Plain(GgufTensorType type) => type switch
    {
        GgufTensorType.F32 => TensorType.F32,
        GgufTensorType.F16 => TensorType.F16,
        GgufTensorType.BF16 => TensorType.BF16,
        _ => null,
    };

    /// <summary>Bytes of a value, or of what it starts with: a text's length, a list's type and count.</summary>
    public static int Size(GgufValueType type) => type switch
    {
        GgufValueType.UInt8 or GgufValueType.Int8 or GgufValueType.Bool => 1,
        GgufValueType.UInt16 or GgufValueType.Int16 => 2,
        GgufValueType.UInt32 or GgufValueType.Int32 or GgufValueType.Float32 => 4,
        GgufValueType.UInt64 or GgufValueType.Int64 or GgufValueType.Float64 or GgufValueType.Text => 8,
        GgufValueType.List => 12,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Not a type of values."),
    };

    /// <summary>The type of a number; false where the importer does not take it.</summary>
    public static bool TryParse(uint number, out GgufTensorType type)
    {
        type = (GgufTensorType)number;
        return number <= int.MaxValue && Enum.IsDefined(type);
    }

    /// <summary>A type that is not taken, for messages.</summary>
    public static string Describe(uint number) => s_others.TryGetValue(number, out string? name) ? name : $"the unknown type {number}";

    /// <summary>All types that are taken, for messages.</summary>
    public static string Names() => string.Join(", ", Enum.GetNames<GgufTensorType>());
}
