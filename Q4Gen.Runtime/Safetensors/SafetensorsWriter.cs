using System.Globalization;
using Q4Gen.Safetensors;

namespace Q4Gen;

/// <summary>
/// Writes safetensors files: the same tensors give the same bytes, and a file appears whole or not at all.
/// </summary>
public static class SafetensorsWriter
{
    /// <summary>The metadata key under which a file of 4-bit layers records its group size.</summary>
    public const string GroupSizeKey = "group_size";

    private const int HeaderAlignment = 8;
    private const int ChunkBytes = 1 << 20;

    /// <summary>
    /// Facts to write beside 4-bit layers: their group size, so that no reader has to guess it, and <c>format</c>,
    /// which other readers of the format ask for.
    /// </summary>
    /// <param name="group">Columns that share a scale; positive.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="group"/> is not positive.</exception>
    public static IReadOnlyDictionary<string, string> DescribeGroup(int group)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(group);
        return new Dictionary<string, string>
        {
            ["format"] = "pt",
            [GroupSizeKey] = group.ToString(CultureInfo.InvariantCulture),
        };
    }

    /// <summary>Writes all of a source, for instance what <see cref="Linear4BitQuantizer.QuantizeModel(IWeightSource, QuantizationOptions, Func{string, bool})"/> made, with its metadata.</summary>
    /// <param name="path">The file, replaced where it exists.</param>
    /// <param name="source">Where the tensors are; may be the very file that is replaced.</param>
    /// <inheritdoc cref="Write(string, IEnumerable{KeyValuePair{string, WeightTensor}}, IReadOnlyDictionary{string, string})"/>
    public static void Write(string path, IWeightSource source) => Write(path, source, progress: null, CancellationToken.None);

    /// <summary>As <see cref="Write(string, IWeightSource)"/>, for a source that takes its time.</summary>
    /// <param name="path">The file, replaced where it exists.</param>
    /// <param name="source">Where the tensors are; may be the very file that is replaced.</param>
    /// <param name="progress">Told the written share of the bytes, 0 to 1, in rising order; nobody where null.</param>
    /// <param name="ct">Stops between pieces of a tensor; nothing is left behind.</param>
    /// <inheritdoc cref="Write(string, IEnumerable{KeyValuePair{string, WeightTensor}}, IReadOnlyDictionary{string, string})"/>
    /// <exception cref="OperationCanceledException">The writing was cancelled.</exception>
    public static void Write(string path, IWeightSource source, IProgress<double>? progress, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(source);
        Write(path, source.Names.Select(name => KeyValuePair.Create(name, Get(name))), source.Metadata, progress, ct);

        WeightTensor Get(string name) => source.TryGet(name, out WeightTensor? tensor)
            ? tensor
            : throw new ArgumentException($"{source.Description} lists a tensor {SafetensorsText.Quote(name)} but does not have it.", nameof(source));
    }

    /// <summary>Writes tensors without facts about the file.</summary>
    /// <param name="path">The file, replaced where it exists.</param>
    /// <param name="tensors">Tensors by name; may come from the very file that is replaced.</param>
    /// <inheritdoc cref="Write(string, IEnumerable{KeyValuePair{string, WeightTensor}}, IReadOnlyDictionary{string, string})"/>
    public static void Write(string path, IEnumerable<KeyValuePair<string, WeightTensor>> tensors) => Write(path, tensors, metadata: null);

    /// <summary>
    /// Writes tensors in the order of their names. The data goes to a temporary file in the same folder, then to the
    /// disk, and takes its name last; whatever fails leaves a file that was there before as it was.
    /// </summary>
    /// <param name="path">The file, replaced where it exists.</param>
    /// <param name="tensors">Tensors by name; may come from the very file that is replaced.</param>
    /// <param name="metadata">Facts about the file, see <see cref="DescribeGroup"/>; none where null.</param>
    /// <exception cref="ArgumentException">Two tensors share a name, or a name is reserved or no valid Unicode, or the header exceeds 100,000,000 bytes.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder may not be written to.</exception>
    public static void Write(
        string path,
        IEnumerable<KeyValuePair<string, WeightTensor>> tensors,
        IReadOnlyDictionary<string, string>? metadata) =>
        Write(path, tensors, metadata, progress: null, CancellationToken.None);

    private static void Write(
        string path,
        IEnumerable<KeyValuePair<string, WeightTensor>> tensors,
        IReadOnlyDictionary<string, string>? metadata,
        IProgress<double>? progress,
        CancellationToken ct)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(tensors);
        SortedDictionary<string, WeightTensor> sorted = Sort(tensors);
        byte[] header = SafetensorsHeaderWriter.Write(Place(sorted), metadata, HeaderAlignment);
        WriteFile(path, file => WriteAll(file, header, sorted.Values, progress, ct));
    }

    /// <summary>Writes to a temporary name, to the disk, and then to the file's own name; nothing stays where that fails.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder may not be written to.</exception>
    internal static void WriteFile(string path, Action<FileStream> write)
    {
        string temporary = $"{path}.{Guid.NewGuid():n}.tmp";
        var file = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
        try
        {
            using (file)
            {
                write(file);
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

    /// <summary>Tensors in the order of their names, which all may stand in a file.</summary>
    /// <exception cref="ArgumentException">Two share a name, or one is reserved or no valid Unicode.</exception>
    internal static SortedDictionary<string, WeightTensor> Sort(IEnumerable<KeyValuePair<string, WeightTensor>> tensors)
    {
        var sorted = new SortedDictionary<string, WeightTensor>(StringComparer.Ordinal);
        foreach ((string name, WeightTensor tensor) in tensors)
        {
            if (name is null || tensor is null)
            {
                throw new ArgumentException($"Tensor {(name is null ? "null" : SafetensorsText.Quote(name))} has no name or no data.", nameof(tensors));
            }

            if (name == SafetensorsText.MetadataKey)
            {
                throw new ArgumentException($"No tensor can be named {name}: the format keeps that name for metadata.", nameof(tensors));
            }

            if (tensor.Shape.Count > SafetensorsText.MaxRank)
            {
                throw new ArgumentException(
                    $"Tensor {SafetensorsText.Quote(name)} has {tensor.Shape.Count} dimensions, but a file holds at most {SafetensorsText.MaxRank}.", nameof(tensors));
            }

            SafetensorsHeaderWriter.CheckUnicode(name, nameof(tensors));
            if (!sorted.TryAdd(name, tensor))
            {
                throw new ArgumentException($"Two tensors are named {SafetensorsText.Quote(name)}; names in a file are unique.", nameof(tensors));
            }
        }

        return sorted;
    }

    /// <summary>One tensor behind the other.</summary>
    private static IEnumerable<SafetensorsEntry> Place(SortedDictionary<string, WeightTensor> tensors)
    {
        long begin = 0;
        foreach ((string name, WeightTensor tensor) in tensors)
        {
            yield return new SafetensorsEntry(name, tensor.Type, [.. tensor.Shape], begin, begin += tensor.ByteLength);
        }
    }

    private static void WriteAll(
        FileStream file, byte[] header, IReadOnlyCollection<WeightTensor> tensors, IProgress<double>? progress, CancellationToken ct)
    {
        file.Write(header);
        long total = tensors.Sum(static tensor => tensor.ByteLength), done = 0;
        foreach (WeightTensor tensor in tensors)
        {
            for (long offset = 0; offset < tensor.ByteLength; offset += ChunkBytes)
            {
                ct.ThrowIfCancellationRequested();
                int length = (int)Math.Min(ChunkBytes, tensor.ByteLength - offset);
                file.Write(tensor.Bytes(offset, length));
                done += length;
                progress?.Report((double)done / total);
            }
        }
    }
}
