namespace Q4Gen.Generator.Incremental;

/// <summary>A hash that is the same in every process, which <c>string.GetHashCode</c> is not.</summary>
internal static class StableHash
{
    /// <summary>FNV-1a over UTF-16 code units.</summary>
    public static uint Of(string text)
    {
        uint hash = 2166136261;
        foreach (char c in text)
        {
            hash = unchecked((hash ^ c) * 16777619);
        }

        return hash;
    }
}
