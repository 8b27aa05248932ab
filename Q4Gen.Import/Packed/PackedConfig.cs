using System.Text.Json;
using Q4Gen.Safetensors;

namespace Q4Gen.Import.Packed;

/// <summary>What a model's folder says of its quantisation.</summary>
internal sealed class PackedConfig
{
    private const int MaxBytes = 1 << 26;
    private const int MaxDepth = 32;

    // The first has it under a key, the second is nothing else.
    private static readonly (string File, string? Key)[] s_places =
        [("config.json", "quantization_config"), ("config.json", "quantization"), ("quantize_config.json", null), ("quant_config.json", null)];

    private readonly string _path;
    private readonly JsonElement _root;

    private PackedConfig(string path, JsonElement root)
    {
        _path = path;
        _root = root;
    }

    /// <summary>Reads a folder's; null where it has none.</summary>
    /// <exception cref="WeightFormatException">A file is not the JSON of one.</exception>
    public static PackedConfig? Read(string folder)
    {
        foreach ((string file, string? key) in s_places)
        {
            string path = Path.Combine(folder, file);
            if (!File.Exists(path))
            {
                continue;
            }

            JsonElement root = Parse(path);
            if (key is null)
            {
                return new PackedConfig(path, root);
            }

            if (root.TryGetProperty(key, out JsonElement part) && part.ValueKind == JsonValueKind.Object)
            {
                return new PackedConfig(path, part);
            }
        }

        return null;
    }

    /// <summary>A text; null where there is none.</summary>
    public string? Text(string key) => Find(key) is { ValueKind: JsonValueKind.String } value ? value.GetString() : null;

    /// <summary>A group size; null where there is none, or −1 for whole rows.</summary>
    public int? Group(string key) =>
        Find(key) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt32(out int group) && group > 0 ? group : null;

    /// <summary>Throws where a value is there and another.</summary>
    /// <exception cref="WeightFormatException">It is.</exception>
    public void Expect(string key, params ReadOnlySpan<string> expected)
    {
        if (Find(key) is not { ValueKind: JsonValueKind.String or JsonValueKind.Number } value)
        {
            return;
        }

        string found = value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText();
        foreach (string one in expected)
        {
            if (string.Equals(one, found, StringComparison.OrdinalIgnoreCase))
            {
                return;
            }
        }

        throw new WeightFormatException(
            $"{_path}: says {key} {SafetensorsText.Quote(found)}, but only {string.Join(" and ", expected.ToArray())} is taken; take a model that is quantised so.");
    }

    private JsonElement? Find(string key) => _root.TryGetProperty(key, out JsonElement value) ? value : null;

    private static JsonElement Parse(string path)
    {
        var file = new FileInfo(path);
        if (file.Length > MaxBytes)
        {
            throw new WeightFormatException($"{path}: has {file.Length} bytes, but at most {MaxBytes} are taken; fetch the model again.");
        }

        try
        {
            using JsonDocument document = JsonDocument.Parse(
                File.ReadAllBytes(path), new JsonDocumentOptions { AllowDuplicateProperties = false, MaxDepth = MaxDepth });
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? document.RootElement.Clone()
                : throw new WeightFormatException($"{path}: holds no JSON object; fetch the model again.");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new WeightFormatException($"{path}: is not valid JSON: {e.Message} Fetch the model again.", e);
        }
    }
}
