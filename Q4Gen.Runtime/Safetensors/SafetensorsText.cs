using System.Text;

namespace Q4Gen.Safetensors;

/// <summary>What the format's reader and writer share: names of element types, limits, and words for messages.</summary>
internal static class SafetensorsText
{
    /// <summary>Bytes of the header's length, little-endian, at the start of a file.</summary>
    public const int LengthBytes = sizeof(ulong);

    /// <summary>The longest header that the format allows, in bytes.</summary>
    public const int MaxHeaderBytes = 100_000_000;

    /// <summary>Dimensions of a tensor, far above any real one: bounds the memory that a hostile shape takes.</summary>
    public const int MaxRank = 64;

    /// <summary>The header's key for facts about the file itself.</summary>
    public const string MetadataKey = "__metadata__";

    /// <summary>Where a whole file is damaged, there is one thing to do.</summary>
    public const string FetchAgain = "the file is damaged or is no safetensors file; fetch or write it again";

    private const int LongestQuote = 120;

    private static readonly TensorType[] s_types = Enum.GetValues<TensorType>();

    /// <summary>The format's name for an element type.</summary>
    public static string TypeName(TensorType type) => type switch
    {
        TensorType.Bool => "BOOL",
        TensorType.F8E4M3 => "F8_E4M3",
        TensorType.F8E5M2 => "F8_E5M2",
        _ => type.ToString(),
    };

    /// <summary>The element type of a name; false where there is none.</summary>
    public static bool TryParseType(string name, out TensorType type)
    {
        foreach (TensorType candidate in s_types)
        {
            if (TypeName(candidate) == name)
            {
                type = candidate;
                return true;
            }
        }

        type = default;
        return false;
    }

    /// <summary>All names of element types, for messages.</summary>
    public static string TypeNames() => string.Join(", ", s_types.Select(TypeName));

    /// <summary>
    /// Text from a file for a message: in quotes, cut to a readable length, with control characters escaped, so that
    /// no file writes its own lines into a log.
    /// </summary>
    public static string Quote(string text)
    {
        var quoted = new StringBuilder("'");
        for (int i = 0; i < Math.Min(text.Length, LongestQuote); i++)
        {
            char c = text[i];
            _ = char.IsControl(c) || char.IsSurrogate(c)
                ? quoted.Append("\\u").Append(((int)c).ToString("x4"))
                : quoted.Append(c);
        }

        return quoted.Append(text.Length > LongestQuote ? $"…' ({text.Length} characters)" : "'").ToString();
    }
}
