namespace Q4Gen.Tests.Examples;

/// <summary>Models and texts that lie beside the checkout and are too large, or not ours, to be part of it.</summary>
internal static class SharedFiles
{
    /// <summary>The path of a file; a test that asks for one that is not there is skipped.</summary>
    public static string Find(params ReadOnlySpan<string> parts)
    {
        string path = Path.Combine([Path.GetDirectoryName(Repository.Root) ?? "", "shared", .. parts]);
        Assert.SkipUnless(File.Exists(path), $"This test needs ../shared/{string.Join('/', parts)}, which is not here.");
        return path;
    }
}
