using Q4Gen.Format;
using Q4Gen.Kernels;
using Q4Gen.Loading;
using Q4Gen.PackedFiles;
using Q4Gen.Safetensors;

namespace Q4Gen;

/// <summary>
/// Models whose 4-bit layers lie in the file as kernels read them. Loading one maps it and copies nothing, so that it takes
/// milliseconds whatever its size, and processes that have the same file loaded share its memory.
/// </summary>
/// <remarks>
/// A packed file is a safetensors file with tensors of its own (docs/format.md), and takes the place of the one that it was
/// made from: <see cref="Linear4Bit.Load"/> and the <c>Load</c> of generated classes take either. What loading does not
/// look at, values, is checked when the file is written and by <see cref="Verify(IWeightSource)"/>.
/// </remarks>
public static class PackedFile
{
    /// <summary>The metadata key under which a file says which layout its layers have; this version reads and writes <c>R16K8</c>.</summary>
    public const string LayoutKey = PackedFormat.LayoutKey;

    private const int HashChunkBytes = 1 << 20;

    /// <summary>Writes a model with its 4-bit layers packed and everything else as it is, without hashes.</summary>
    /// <inheritdoc cref="Write(string, IWeightSource, bool, IProgress{double}, CancellationToken)"/>
    public static void Write(string path, IWeightSource source) => Write(path, source, withHashes: false, progress: null, CancellationToken.None);

    /// <summary>
    /// Writes a model with its 4-bit layers packed and everything else as it is, one layer in memory at a time. The data goes
    /// to a temporary file in the same folder, then to the disk, and takes its name last.
    /// </summary>
    /// <param name="path">The file, replaced where it exists.</param>
    /// <param name="source">The model; layers that are packed already stay so. May be the very file that is replaced.</param>
    /// <param name="withHashes">Whether a hash of every tensor is written, which <see cref="Verify(IWeightSource)"/> checks.</param>
    /// <param name="progress">Told the written share of the bytes, 0 to 1, in rising order; nobody where null.</param>
    /// <param name="ct">Stops between pieces of a tensor; nothing is left behind.</param>
    /// <exception cref="ArgumentException">A name is no valid Unicode, or the header exceeds 100,000,000 bytes.</exception>
    /// <exception cref="WeightFormatException">There is no 4-bit layer, or one that cannot be loaded.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder may not be written to.</exception>
    /// <exception cref="OperationCanceledException">The writing was cancelled.</exception>
    public static void Write(string path, IWeightSource source, bool withHashes, IProgress<double>? progress, CancellationToken ct)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(source);
        PanelTensors.CheckByteOrder(source, BitConverter.IsLittleEndian);
        IReadOnlyList<PackedLayerPlan> layers = PackedLayerPlan.FindAll(source);
        if (layers.Count == 0)
        {
            throw new WeightFormatException(
                $"{source.Description}: has no layer in 4 bits ({{name}}.{LayerTensors.WeightSuffix}) to pack; quantise it first, with 'q4gen quantize' or Linear4BitQuantizer.");
        }

        HashSet<string> ofLayers = [.. layers.SelectMany(static layer => layer.Names)];
        SortedDictionary<string, WeightTensor> others = SafetensorsWriter.Sort(
            source.Names.Where(name => !ofLayers.Contains(name) && !PackedFormat.IsFiller(name)).Select(name => KeyValuePair.Create(name, Get(source, name))));
        var plan = new PackedPlan(layers, others, withHashes);
        byte[] header = SafetensorsHeaderWriter.Write(plan.Tensors.Select(static tensor => tensor.Entry), Describe(source), PackedFormat.PageAlignment);
        SafetensorsWriter.WriteFile(path, file =>
        {
            file.Write(header);
            new PackedFileWriter(file, source, others, plan, progress, ct).Write();
        });
    }

    /// <summary>Whether a model has layers that are used in place, of whatever layout.</summary>
    public static bool IsPacked(IWeightSource source)
    {
        ArgumentNullException.ThrowIfNull(source);
        return PackedFormat.IsPacked(source);
    }

    /// <summary>Whether <see cref="Verify(IWeightSource)"/> has hashes to check.</summary>
    public static bool HasHashes(IWeightSource source)
    {
        ArgumentNullException.ThrowIfNull(source);
        return source.TryGet(PackedFormat.HashName, out _);
    }

    /// <summary>Checks all of a packed file; as <see cref="Verify(IWeightSource, IProgress{double}, CancellationToken)"/>.</summary>
    /// <exception cref="WeightFormatException">Something is wrong.</exception>
    public static void Verify(IWeightSource source) => Verify(source, progress: null, CancellationToken.None);

    /// <summary>
    /// Reads all of a packed file, before or after it is loaded, and throws at the first thing that is wrong: a layer that
    /// does not load, a scale, offset or bias that is not finite, something other than zeros where panels are filled up, or,
    /// where the file has hashes, a tensor that is not the one that was written.
    /// </summary>
    /// <param name="source">The opened file.</param>
    /// <param name="progress">Told the finished share, 0 to 1, in rising order; nobody where null.</param>
    /// <param name="ct">Stops it.</param>
    /// <exception cref="WeightFormatException">Something is wrong, or the file is not packed.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static void Verify(IWeightSource source, IProgress<double>? progress, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(source);
        if (!PackedFormat.IsPacked(source))
        {
            throw new WeightFormatException(
                $"{source.Description}: is no packed file: its metadata has no {LayoutKey}; 'q4gen pack' writes such files.");
        }

        if (FindProblems(source, progress, ct).FirstOrDefault() is { } problem)
        {
            throw problem;
        }
    }

    /// <summary>What <see cref="Verify(IWeightSource)"/> would throw, for each layer and each tensor.</summary>
    internal static IEnumerable<WeightFormatException> FindProblems(IWeightSource source, IProgress<double>? progress, CancellationToken ct)
    {
        if (source.Metadata.TryGetValue(LayoutKey, out string? layout) && Try(() => PanelTensors.CheckLayout(source, layout)) is { } other)
        {
            yield return other;
            yield break;
        }

        SortedSet<string> prefixes = PackedFormat.FindLayers(source);
        string[] hashed = HasHashes(source) ? [.. source.Names.Where(static name => name != PackedFormat.HashName).Order(StringComparer.Ordinal)] : [];
        int done = 0;
        foreach (string prefix in prefixes)
        {
            ct.ThrowIfCancellationRequested();
            if (Try(() => CheckLayer(source, prefix)) is { } problem)
            {
                yield return problem;
            }

            Report();
        }

        if (hashed.Length == 0)
        {
            yield break;
        }

        if (Try(() => CheckHashes(source, hashed.Length)) is { } unfit)
        {
            yield return unfit;
            yield break;
        }

        for (int i = 0; i < hashed.Length; i++)
        {
            ct.ThrowIfCancellationRequested();
            if (Try(() => CheckHash(source, hashed[i], i, ct)) is { } problem)
            {
                yield return problem;
            }

            Report();
        }

        void Report() => progress?.Report((double)++done / (prefixes.Count + hashed.Length));

        static WeightFormatException? Try(Action check)
        {
            try
            {
                check();
                return null;
            }
            catch (WeightFormatException e)
            {
                return e;
            }
        }
    }

    private static void CheckLayer(IWeightSource source, string prefix)
    {
        PackedWeights weights = LayerLoader.Load(source, prefix, group: null);
        try
        {
            if (PackedChecks.FindFlaw(weights) is { } flaw)
            {
                throw new WeightFormatException($"{source.Description}: layer {SafetensorsText.Quote(prefix)}: {flaw}; {PackedFormat.PackAgain}.");
            }
        }
        finally
        {
            weights.Discard();
        }
    }

    private static void CheckHashes(IWeightSource source, int tensors)
    {
        WeightTensor hashes = Get(source, PackedFormat.HashName);
        if (hashes.Type != TensorType.U8 || hashes.Shape is not [var count, TensorHash.Bytes] || count != tensors)
        {
            throw new WeightFormatException(
                $"{source.Description}: tensor {SafetensorsText.Quote(PackedFormat.HashName)} is {hashes}, but U8 [{tensors}, {TensorHash.Bytes}] is expected, a hash for each other tensor; tensors were added or removed: {PackedFormat.PackAgain}.");
        }
    }

    private static void CheckHash(IWeightSource source, string name, int index, CancellationToken ct)
    {
        WeightTensor tensor = Get(source, name);
        using var hash = new TensorHash(name, tensor.Type, [.. tensor.Shape]);
        byte[] buffer = new byte[Math.Min(HashChunkBytes, tensor.ByteLength)];
        for (long offset = 0; offset < tensor.ByteLength; offset += buffer.Length)
        {
            ct.ThrowIfCancellationRequested();
            hash.Append(tensor.Read(offset, buffer.AsSpan(0, (int)Math.Min(buffer.Length, tensor.ByteLength - offset))));
        }

        byte[] found = hash.Finish();
        ReadOnlySpan<byte> expected = Get(source, PackedFormat.HashName).Bytes((long)index * TensorHash.Bytes, TensorHash.Bytes);
        if (!expected.SequenceEqual(found))
        {
            throw new WeightFormatException(
                $"{source.Description}: tensor {SafetensorsText.Quote(name)} has SHA-256 {Convert.ToHexStringLower(found)}, but {Convert.ToHexStringLower(expected)} was written; the file is damaged: fetch it again, or {PackedFormat.PackAgain}.");
        }
    }

    private static Dictionary<string, string> Describe(IWeightSource source)
    {
        Dictionary<string, string> metadata = new(source.Metadata) { [LayoutKey] = PanelLayout.Id };

        // Each layer says its own.
        metadata.Remove(SafetensorsWriter.GroupSizeKey);
        return metadata;
    }

    private static WeightTensor Get(IWeightSource source, string name) => source.TryGet(name, out WeightTensor? tensor)
        ? tensor
        : throw new ArgumentException($"{source.Description} lists a tensor {SafetensorsText.Quote(name)} but does not have it.", nameof(source));
}
