using DiffPlex.Renderer;

namespace Q4Gen.Testing;

internal static class TextDiff
{
    private const int MaxCharacters = 8000;

    /// <summary>A unified diff, cut where it gets too long to be read.</summary>
    public static string Unified(string before, string after, string beforeName, string afterName)
    {
        string diff = UnidiffRenderer.GenerateUnidiff(before, after, beforeName, afterName, ignoreWhitespace: false);
        return diff.Length <= MaxCharacters ? diff : diff[..MaxCharacters] + "\n… (more differences follow)";
    }
}
