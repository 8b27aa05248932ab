using System.Text.Json;

namespace Q4Gen.Safetensors;

/// <summary>The index of a sharded model, read strictly.</summary>
/// <param name="ShardOfTensor">The name of the shard file that holds each tensor.</param>
/// <param name="Metadata">Strings, numbers and truth values that the index records about the model.</param>
internal sealed record SafetensorsIndex(
    IReadOnlyDictionary<string, string> ShardOfTensor, IReadOnlyDictionary<string, string> Metadata)
{
    private const int MaxDepth = 16;
    private const string FetchAgain = "the index is damaged; fetch or write it again";

    /// <summary>Reads an index file.</summary>
    /// <exception cref="IOException">The file is not there or cannot be read.</exception>
    /// <exception cref="WeightFormatException">It is no index, or names a shard outside its own folder.</exception>
    public static SafetensorsIndex Read(string path)
    {
        byte[] json = ReadBytes(path);
        try
        {
            using JsonDocument document = JsonDocument.Parse(
                json, new JsonDocumentOptions { AllowDuplicateProperties = false, MaxDepth = MaxDepth });
            return Read(document.RootElement, path);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // An escaped half of a surrogate pair is an InvalidOperationException to the reader.
            throw new WeightFormatException($"{path}: is not the JSON of a safetensors index: {e.Message} Fetch or write the index again.", e);
        }
    }

    private static byte[] ReadBytes(string path)
    {
        using FileStream file = File.OpenRead(path);
        if (file.Length > SafetensorsText.MaxHeaderBytes)
        {
            throw new WeightFormatException(
                $"{path}: has {file.Length} bytes, but an index has at most {SafetensorsText.MaxHeaderBytes}; {FetchAgain}.");
        }

        byte[] json = new byte[file.Length];
        file.ReadExactly(json);
        return json;
    }

    private static SafetensorsIndex Read(JsonElement root, string path)
    {
        if (root.ValueKind != JsonValueKind.Object
            || !root.TryGetProperty("weight_map", out JsonElement map)
            || map.ValueKind != JsonValueKind.Object)
        {
            throw new WeightFormatException($"{path}: has no object weight_map, which names the shard of each tensor; {FetchAgain}.");
        }

        var shards = new Dictionary<string, string>();
        foreach (JsonProperty entry in map.EnumerateObject())
        {
            if (entry.Value.ValueKind != JsonValueKind.String)
            {
                throw new WeightFormatException(
                    $"{path}: weight_map has {entry.Value.ValueKind} for tensor {SafetensorsText.Quote(entry.Name)}, but the name of a shard is expected; {FetchAgain}.");
            }

            string shard = entry.Value.GetString()!;
            if (!IsPlainFileName(shard))
            {
                throw new WeightFormatException(
                    $"{path}: weight_map puts tensor {SafetensorsText.Quote(entry.Name)} into {SafetensorsText.Quote(shard)}, but a shard is a plain file name beside the index, without folders, drives or '..'; {FetchAgain}.");
            }

            shards.Add(entry.Name, shard);
        }

        return new SafetensorsIndex(shards, ReadMetadata(root));
    }

    private static Dictionary<string, string> ReadMetadata(JsonElement root)
    {
        var metadata = new Dictionary<string, string>();
        if (root.TryGetProperty("metadata", out JsonElement element) && element.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty entry in element.EnumerateObject())
            {
                switch (entry.Value.ValueKind)
                {
                    case JsonValueKind.String:
                        metadata.Add(entry.Name, entry.Value.GetString()!);
                        break;
                    case JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False:
                        metadata.Add(entry.Name, entry.Value.GetRawText());
                        break;
                }
            }
        }

        return metadata;
    }

    /// <summary>Whatever any platform reads as a path is refused on all of them.</summary>
    private static bool IsPlainFileName(string name) =>
        name.Length is > 0 and <= 255
        && name is not ("." or "..")
        && !name.AsSpan().ContainsAny('/', '\\', ':')
        && !name.Any(char.IsControl);
}
