namespace Q4Gen.Tool.Console;

/// <summary>Where a command writes: checked before the work starts, for it may take minutes.</summary>
internal static class OutputFile
{
    /// <summary>Throws where a file cannot be written, or is there and may not be replaced.</summary>
    /// <exception cref="UsageException">It is there, or a folder.</exception>
    /// <exception cref="DirectoryNotFoundException">Its folder is not there.</exception>
    public static void Check(string path, bool force)
    {
        if (Directory.Exists(path))
        {
            throw new UsageException($"{path} is a folder, but a file to write is expected; name a file in it.");
        }

        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        if (!Directory.Exists(folder))
        {
            throw new DirectoryNotFoundException($"{path}: its folder {folder} is not there; make it first.");
        }

        if (File.Exists(path) && !force)
        {
            throw new UsageException($"{path} is there already; name another file, or replace it with --force.");
        }
    }

    /// <summary>Writes a text: to a temporary name, to the disk, and then to its own name.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public static void WriteText(string path, string text)
    {
        string temporary = $"{path}.{Guid.NewGuid():n}.tmp";
        try
        {
            using (var file = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None))
            using (var writer = new StreamWriter(file))
            {
                writer.Write(text);
                writer.Flush();
                file.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }
}
