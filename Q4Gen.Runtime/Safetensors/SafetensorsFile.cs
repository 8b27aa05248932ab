using System.Diagnostics.CodeAnalysis;
using Q4Gen.Safetensors;

namespace Q4Gen;

/// <summary>
/// One safetensors file as a weight source. A file on disk is mapped, not copied; tensors read straight from the mapping.
/// </summary>
/// <remarks>
/// <para>
/// The format's rules are kept strictly: a header of at most 100,000,000 bytes, unique names, known element types, and
/// tensors that cover the data exactly. Whatever breaks one is rejected on opening.
/// </para>
/// <para>
/// Deleting or replacing the file by a rename does no harm. Writing to it in place does: each access compares length
/// and time of writing with those of opening and throws where they differ, but a write between that check and the read
/// goes unseen, and a truncation in that moment ends the process. Layers of a file that <see cref="PackedFile"/> wrote read
/// it for as long as they live, and without that comparison. Replace weight files by renaming.
/// </para>
/// <para>
/// Any number of threads may read. <see cref="Dispose"/> unmaps once layers that are being loaded are done, and layers that
/// use it in place disposed; a span from <see cref="WeightTensor.Bytes"/> must not be used after it.
/// </para>
/// </remarks>
public sealed class SafetensorsFile : IWeightSource, IDisposable
{
    private readonly TensorStorage _storage;
    private readonly Dictionary<string, WeightTensor> _tensors;
    private bool _disposed;

    private SafetensorsFile(TensorStorage storage, string description)
    {
        SafetensorsHeader header = SafetensorsHeader.Read(storage, description);
        _storage = storage;
        Description = description;
        Metadata = header.Metadata;
        _tensors = new Dictionary<string, WeightTensor>(header.Entries.Count);
        foreach (SafetensorsEntry entry in header.Entries)
        {
            _tensors.Add(
                entry.Name,
                new WeightTensor(entry.Type, entry.Shape, storage, header.DataStart + entry.Begin, entry.End - entry.Begin));
        }
    }

    /// <inheritdoc/>
    public string Description { get; }

    /// <inheritdoc/>
    public IReadOnlyCollection<string> Names => _tensors.Keys;

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Maps a file and checks all of its header.</summary>
    /// <param name="path">The file; a sharded model goes through <see cref="SafetensorsModel.Open"/>.</param>
    /// <exception cref="ArgumentException"><paramref name="path"/> is null or empty.</exception>
    /// <exception cref="IOException">The file is not there or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    /// <exception cref="WeightFormatException">It is no well-formed safetensors file.</exception>
    public static SafetensorsFile Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return Read(MappedStorage.Open(path, SafetensorsText.LengthBytes), path);
    }

    /// <summary>Reads a file's bytes in memory, such as an embedded resource, in place.</summary>
    /// <param name="data">The whole file.</param>
    /// <param name="description">What error messages call it.</param>
    /// <exception cref="WeightFormatException">It is no well-formed safetensors file.</exception>
    public static SafetensorsFile FromMemory(ReadOnlyMemory<byte> data, string description)
    {
        ArgumentNullException.ThrowIfNull(description);
        return Read(new ManagedStorage(data, description), description);
    }

    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">The file is disposed.</exception>
    public bool TryGet(string name, [NotNullWhen(true)] out WeightTensor? tensor)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return _tensors.TryGetValue(name, out tensor);
    }

    /// <summary>Releases the file; its tensors throw from now on.</summary>
    public void Dispose()
    {
        _disposed = true;
        _storage.Dispose();
    }

    private static SafetensorsFile Read(TensorStorage storage, string description)
    {
        try
        {
            return new SafetensorsFile(storage, description);
        }
        catch
        {
            storage.Dispose();
            throw;
        }
    }
}
