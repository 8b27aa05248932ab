using Q4Gen.Safetensors;

namespace Q4Gen.Import.Conversion;

/// <summary>Opens the one file of a format that is not safetensors.</summary>
internal static class ImportFile
{
    /// <summary>Maps a file.</summary>
    /// <exception cref="IOException">The file is not there or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    /// <exception cref="WeightFormatException">It is a folder, or empty.</exception>
    public static TensorStorage Open(string path, string format)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path))
        {
            throw new WeightFormatException($"{path}: is a directory, but one {format} file was expected; name a file in it.");
        }

        if (new FileInfo(path) is { Exists: true, Length: 0 })
        {
            throw new WeightFormatException($"{path}: is empty, but a {format} file was expected; fetch or write it again.");
        }

        return MappedStorage.Open(path, minimumLength: 1);
    }

    /// <summary>Runs a constructor over storage, which goes where it fails.</summary>
    public static T Over<T>(TensorStorage storage, Func<TensorStorage, T> create)
    {
        try
        {
            return create(storage);
        }
        catch
        {
            storage.Dispose();
            throw;
        }
    }
}
