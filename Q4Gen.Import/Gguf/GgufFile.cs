using Q4Gen.Import.Conversion;

namespace Q4Gen.Import.Gguf;

/// <summary>
/// A GGUF file of version 2 or 3: its metadata, among which the tokenizer is, and where its tensors are. The file is
/// mapped, and all of its header is checked on opening.
/// </summary>
/// <remarks>
/// What <see cref="SafetensorsFile"/> says of threads and of changes to the file holds here too. Weights come through
/// <see cref="GgufSource"/>.
/// </remarks>
public sealed class GgufFile : IDisposable
{
    private readonly TensorStorage _storage;

    private GgufFile(TensorStorage storage, string description)
    {
        var header = new GgufHeaderReader(storage, description);
        header.Read();
        _storage = storage;
        Description = description;
        Version = (int)header.Version;
        Alignment = (int)header.Alignment;
        Metadata = header.Metadata;
        Tensors = header.Tensors;
    }

    /// <summary>What error messages call the file.</summary>
    public string Description { get; }

    /// <summary>2 or 3.</summary>
    public int Version { get; }

    /// <summary>What the starts of tensors in the data are multiples of, in bytes.</summary>
    public int Alignment { get; }

    /// <summary>Values by key, such as <c>general.architecture</c> and <c>tokenizer.ggml.tokens</c>.</summary>
    public IReadOnlyDictionary<string, GgufValue> Metadata { get; }

    /// <summary>The tensors in the file's order.</summary>
    public IReadOnlyList<GgufTensor> Tensors { get; }

    /// <summary>Maps a file and checks all of its header.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="ArgumentException"><paramref name="path"/> is null or empty.</exception>
    /// <exception cref="IOException">The file is not there or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    /// <exception cref="WeightFormatException">It is no well-formed GGUF file, or has tensors of a type that is not taken.</exception>
    public static GgufFile Open(string path) =>
        ImportFile.Over(ImportFile.Open(path, "GGUF"), storage => new GgufFile(storage, path));

    /// <summary>Reads a file's bytes in memory, in place.</summary>
    /// <param name="data">The whole file.</param>
    /// <param name="description">What error messages call it.</param>
    /// <exception cref="WeightFormatException">It is no well-formed GGUF file, or has tensors of a type that is not taken.</exception>
    public static GgufFile FromMemory(ReadOnlyMemory<byte> data, string description)
    {
        ArgumentNullException.ThrowIfNull(description);
        return ImportFile.Over(new ManagedStorage(data, description), storage => new GgufFile(storage, description));
    }

    /// <summary>A tensor of a plain type, as it is.</summary>
    internal WeightTensor View(GgufTensor tensor, TensorType type) =>
        new(type, [.. tensor.Shape], _storage, tensor.Start, tensor.ByteLength);

    /// <summary>A tensor's blocks as bytes, <c>[rows, bytes of a row]</c>.</summary>
    internal WeightTensor Blocks(GgufTensor tensor)
    {
        (int elements, int bytes) = GgufTypes.Block(tensor.Type);
        long rowBytes = tensor.Shape[^1] / elements * bytes;
        return new WeightTensor(
            TensorType.U8, [rowBytes == 0 ? 0 : tensor.ByteLength / rowBytes, rowBytes], _storage, tensor.Start, tensor.ByteLength);
    }

    /// <summary>Releases the file; values and tensors throw from now on.</summary>
    public void Dispose() => _storage.Dispose();
}
