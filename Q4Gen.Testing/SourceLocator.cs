namespace Q4Gen.Testing;

/// <summary>Finds the source file of a running test again.</summary>
internal static class SourceLocator
{
    private static readonly char[] s_separators = ['/', '\\'];

    /// <summary>The name of the file without its extension.</summary>
    public static string ClassOf(string callerFile)
    {
        string name = callerFile[(callerFile.LastIndexOfAny(s_separators) + 1)..];
        int dot = name.IndexOf('.', StringComparison.Ordinal);
        return dot < 0 ? name : name[..dot];
    }

    /// <summary>The folder that holds the file.</summary>
    /// <exception cref="DirectoryNotFoundException">It is not on this machine.</exception>
    public static string FolderOf(string callerFile)
    {
        if (File.Exists(callerFile))
        {
            return Path.GetDirectoryName(callerFile)!;
        }

        // Deterministic builds record paths that start at the repository, such as /_/Tests/SomeTests.cs.
        string[] parts = callerFile.Split(s_separators, StringSplitOptions.RemoveEmptyEntries);
        for (DirectoryInfo? root = new(AppContext.BaseDirectory); root is not null; root = root.Parent)
        {
            for (int skip = 0; skip < parts.Length - 1; skip++)
            {
                string path = Path.Combine([root.FullName, .. parts[skip..]]);
                if (File.Exists(path))
                {
                    return Path.GetDirectoryName(path)!;
                }
            }
        }

        throw new DirectoryNotFoundException(
            $"The source file '{callerFile}' of the test is not on this machine, so its snapshots cannot be found; run the tests from a checkout of their source.");
    }
}
