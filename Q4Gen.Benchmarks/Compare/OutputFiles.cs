namespace Q4Gen.Benchmarks.Compare;

/// <summary>Files that appear whole or not at all.</summary>
internal static class OutputFiles
{
    /// <summary>A name in the same folder that nothing has.</summary>
    public static string TemporaryName(string path) => $"{path}.{Guid.NewGuid():n}.tmp";

    /// <summary>Writes under a temporary name, then renames; a file that was there before is replaced.</summary>
    public static void Write(string path, byte[] content)
    {
        string temporary = TemporaryName(path);
        try
        {
            File.WriteAllBytes(temporary, content);
            File.Move(temporary, path, overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }
    }
}
