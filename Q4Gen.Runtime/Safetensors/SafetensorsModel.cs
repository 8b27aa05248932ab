using System.Diagnostics.CodeAnalysis;
using Q4Gen.Safetensors;

namespace Q4Gen;

/// <summary>
/// A model's safetensors files as one weight source: a single file, or the shards that a
/// <c>model.safetensors.index.json</c> names.
/// </summary>
/// <remarks>
/// Shards stand beside their index; names with a folder in them are rejected. Facts of the index and of all shards are
/// put together; where shards disagree about one, it is left out, except <c>group_size</c> and the layout of packed layers,
/// which are then an error.
/// What <see cref="SafetensorsFile"/> says of threads, of changes to files and of disposal holds here too.
/// </remarks>
public sealed class SafetensorsModel : IWeightSource, IDisposable
{
    /// <summary>The single file that a model's folder holds.</summary>
    public const string SingleFileName = "model.safetensors";

    /// <summary>The index that the folder of a sharded model holds.</summary>
    public const string IndexFileName = "model.safetensors.index.json";

    private readonly IReadOnlyList<SafetensorsFile> _shards;
    private readonly IReadOnlyDictionary<string, SafetensorsFile> _owners;
    private bool _disposed;

    private SafetensorsModel(
        string description,
        IReadOnlyList<SafetensorsFile> shards,
        IReadOnlyDictionary<string, SafetensorsFile> owners,
        IReadOnlyDictionary<string, string> metadata)
    {
        Description = description;
        _shards = shards;
        _owners = owners;
        Names = [.. owners.Keys];
        Metadata = metadata;
    }

    /// <inheritdoc/>
    public string Description { get; }

    /// <inheritdoc/>
    public IReadOnlyCollection<string> Names { get; }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Opens a model and checks the headers of all its files.</summary>
    /// <param name="path">
    /// A safetensors file; or an index, which ends in <c>.json</c>; or a folder that holds
    /// <see cref="SingleFileName"/>, which is taken first, or <see cref="IndexFileName"/>.
    /// </param>
    /// <exception cref="ArgumentException"><paramref name="path"/> is null or empty.</exception>
    /// <exception cref="IOException">The file is not there or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    /// <exception cref="WeightFormatException">A file is malformed, a shard is missing, or index and shards contradict each other.</exception>
    public static SafetensorsModel Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string file = Directory.Exists(path) ? FindInFolder(path) : path;
        return file.EndsWith(".json", StringComparison.OrdinalIgnoreCase) ? OpenSharded(file) : OpenSingle(file);
    }

    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">The model is disposed.</exception>
    public bool TryGet(string name, [NotNullWhen(true)] out WeightTensor? tensor)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        tensor = null;
        return _owners.TryGetValue(name, out SafetensorsFile? owner) && owner.TryGet(name, out tensor);
    }

    /// <summary>Releases all files; their tensors throw from now on.</summary>
    public void Dispose()
    {
        _disposed = true;
        foreach (SafetensorsFile shard in _shards)
        {
            shard.Dispose();
        }
    }

    private static string FindInFolder(string folder)
    {
        string single = Path.Combine(folder, SingleFileName);
        if (File.Exists(single))
        {
            return single;
        }

        string index = Path.Combine(folder, IndexFileName);
        if (File.Exists(index))
        {
            return index;
        }

        string[] others = [.. Directory.EnumerateFiles(folder, "*.safetensors").Take(3).Select(other => Path.GetFileName(other)).Order(StringComparer.Ordinal)];
        throw new WeightFormatException(
            $"{folder}: has neither {SingleFileName} nor {IndexFileName}; "
            + (others.Length == 0
                ? "name a folder that holds a model, or a safetensors file."
                : $"it has {string.Join(", ", others)}: open such a file by its own path."));
    }

    private static SafetensorsModel OpenSingle(string path)
    {
        SafetensorsFile file = SafetensorsFile.Open(path);
        return new SafetensorsModel(path, [file], file.Names.ToDictionary(name => name, _ => file), file.Metadata);
    }

    private static SafetensorsModel OpenSharded(string path)
    {
        SafetensorsIndex index = SafetensorsIndex.Read(path);
        var shards = new Dictionary<string, SafetensorsFile>();
        try
        {
            foreach ((string tensor, string shard) in index.ShardOfTensor)
            {
                if (!shards.ContainsKey(shard))
                {
                    shards.Add(shard, OpenShard(path, shard, tensor));
                }
            }

            return new SafetensorsModel(path, [.. shards.Values], FindOwners(path, index, shards), MergeMetadata(path, index, shards));
        }
        catch
        {
            foreach (SafetensorsFile shard in shards.Values)
            {
                shard.Dispose();
            }

            throw;
        }
    }

    private static SafetensorsFile OpenShard(string index, string shard, string tensor)
    {
        string path = Path.Combine(Path.GetDirectoryName(index) ?? "", shard);
        if (!File.Exists(path))
        {
            throw new WeightFormatException(
                $"{index}: names the shard {SafetensorsText.Quote(shard)} for tensor {SafetensorsText.Quote(tensor)}, but {path} is not there; fetch the missing shard.");
        }

        return SafetensorsFile.Open(path);
    }

    private static Dictionary<string, SafetensorsFile> FindOwners(
        string path, SafetensorsIndex index, Dictionary<string, SafetensorsFile> shards)
    {
        var owners = new Dictionary<string, SafetensorsFile>();
        foreach ((string shardName, SafetensorsFile shard) in shards)
        {
            foreach (string tensor in shard.Names)
            {
                if (!index.ShardOfTensor.TryGetValue(tensor, out string? listed))
                {
                    throw new WeightFormatException(
                        $"{path}: does not list tensor {SafetensorsText.Quote(tensor)}, which shard {SafetensorsText.Quote(shardName)} holds; index and shards belong to different models: fetch them again.");
                }

                if (!owners.TryAdd(tensor, shard))
                {
                    throw new WeightFormatException(
                        $"{path}: tensor {SafetensorsText.Quote(tensor)} is in two shards, {owners[tensor].Description} and {shard.Description}, but must be in one; fetch or write the shards again.");
                }
            }
        }

        foreach ((string tensor, string shardName) in index.ShardOfTensor)
        {
            if (!owners.TryGetValue(tensor, out SafetensorsFile? owner) || owner != shards[shardName])
            {
                string elsewhere = owner == null ? "" : $" ({owner.Description} has it)";
                throw new WeightFormatException(
                    $"{path}: says that shard {SafetensorsText.Quote(shardName)} holds tensor {SafetensorsText.Quote(tensor)}, but it does not{elsewhere}; index and shards belong to different models: fetch them again.");
            }
        }

        return owners;
    }

    private static Dictionary<string, string> MergeMetadata(
        string path, SafetensorsIndex index, Dictionary<string, SafetensorsFile> shards)
    {
        var merged = new Dictionary<string, string>();
        var disputed = new HashSet<string>();
        foreach ((string key, string value) in shards.Values.SelectMany(shard => shard.Metadata).Concat(index.Metadata))
        {
            if (merged.TryAdd(key, value) || merged[key] == value)
            {
                continue;
            }

            if (key is SafetensorsWriter.GroupSizeKey or PackedFile.LayoutKey)
            {
                string toDo = key == PackedFile.LayoutKey ? "pack them again" : "write the shards again with one group size";
                throw new WeightFormatException(
                    $"{path}: its files record different {key}s, {SafetensorsText.Quote(merged[key])} and {SafetensorsText.Quote(value)}, but one model has one; {toDo}.");
            }

            disputed.Add(key);
        }

        foreach (string key in disputed)
        {
            merged.Remove(key);
        }

        return merged;
    }
}
