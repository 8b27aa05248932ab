namespace Q4Gen.Tests;

/// <summary>The checkout that the tests run from.</summary>
internal static class Repository
{
    /// <summary>Its folder, or null where the tests were copied elsewhere.</summary>
    public static string? Root { get; } = Find();

    private static string? Find()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Q4Gen.sln")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName;
    }
}
