namespace Q4Gen.Import.Packed;

/// <summary>Opens a model's folder for an importer, which then owns the files.</summary>
internal static class PackedFolder
{
    /// <summary>Opens safetensors and what the folder says of its quantisation.</summary>
    /// <param name="path">A folder, or a file in it.</param>
    /// <param name="create">Makes the source; the files are closed where it throws.</param>
    /// <exception cref="IOException">A file is not there or cannot be read.</exception>
    /// <exception cref="WeightFormatException">A file is malformed, or the source cannot be made.</exception>
    public static T Open<T>(string path, Func<SafetensorsModel, PackedConfig?, T> create)
    {
        SafetensorsModel model = SafetensorsModel.Open(path);
        try
        {
            string folder = Directory.Exists(path) ? path : Path.GetDirectoryName(Path.GetFullPath(path))!;
            return create(model, PackedConfig.Read(folder));
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }
}
