using Q4Gen.Import.Conversion;

namespace Q4Gen.Import.Onnx;

/// <summary>A model and the files beside it that hold its weights.</summary>
/// <param name="model">The model's file.</param>
/// <param name="description">What error messages call it.</param>
/// <param name="folder">Where files beside it are; null where there are none.</param>
internal sealed class OnnxFiles(TensorStorage model, string description, string? folder) : IDisposable
{
    private readonly Dictionary<string, TensorStorage> _others = [];

    /// <summary>An initialiser's data as a tensor.</summary>
    /// <param name="initializer">The initialiser.</param>
    /// <param name="type">Its element type.</param>
    /// <param name="shape">Its shape, or another of as many bytes.</param>
    /// <exception cref="IOException">A file beside the model cannot be read.</exception>
    /// <exception cref="WeightFormatException">The data is not raw, not of that size, or not where it is said to be.</exception>
    public WeightTensor Open(OnnxInitializer initializer, TensorType type, params ReadOnlySpan<long> shape)
    {
        if (initializer.Length is not { } length)
        {
            throw Broken(initializer, "has no raw data", "write the model again with raw_data or external data");
        }

        TensorStorage storage = initializer.Location is null ? model : OpenBeside(initializer, initializer.Location);
        length = length < 0 ? storage.Length - initializer.Start : length;
        if (initializer.Start > storage.Length || length > storage.Length - initializer.Start)
        {
            throw Broken(initializer, $"takes {length} bytes from byte {initializer.Start} on, but its file has {storage.Length}");
        }

        if (!WeightTensor.TryCountBytes(type, shape, out long expected) || expected != length)
        {
            throw Broken(initializer, $"has {length} bytes, but {type} {WeightTensor.DescribeShape(shape)} is expected");
        }

        return new WeightTensor(type, shape.ToArray(), storage, initializer.Start, length);
    }

    /// <summary>An initialiser is not what is expected.</summary>
    public WeightFormatException Broken(OnnxInitializer initializer, string rule, string toDo = "fetch or write the model again") =>
        new($"{description}: initialiser {ProtoCursor.Quote(initializer.Name)} {rule}; {toDo}.");

    /// <summary>Closes all files.</summary>
    public void Dispose()
    {
        model.Dispose();
        foreach (TensorStorage other in _others.Values)
        {
            other.Dispose();
        }
    }

    private TensorStorage OpenBeside(OnnxInitializer initializer, string location)
    {
        if (_others.TryGetValue(location, out TensorStorage? storage))
        {
            return storage;
        }

        // Whatever any platform reads as a path is refused on all of them.
        if (folder is null || location.Length is 0 or > 255 || location is "." or ".." || location.AsSpan().ContainsAny('/', '\\', ':') || location.Any(char.IsControl))
        {
            throw Broken(initializer, $"is in {ProtoCursor.Quote(location)}, but data is in the model or in a plain file beside it");
        }

        string path = Path.Combine(folder, location);
        if (!File.Exists(path))
        {
            throw Broken(initializer, $"is in {ProtoCursor.Quote(location)}, but {path} is not there", "fetch the missing file");
        }

        storage = ImportFile.Open(path, "data");
        _others.Add(location, storage);
        return storage;
    }
}
