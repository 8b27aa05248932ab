using Q4Gen.Tests.Runtime;

namespace Q4Gen.Tests.Tool;

/// <summary>Small models to run the tool on.</summary>
internal static class ToolModels
{
    public const int Width = 64;
    public const int Wide = 96;

    /// <summary>Two blocks of a Llama in a float type, with norms, an embedding and a head.</summary>
    public static TensorDictionary Llama(TensorType type = TensorType.F32, int blocks = 2)
    {
        var tensors = new Dictionary<string, WeightTensor>
        {
            ["model.embed_tokens.weight"] = Floats(type, 1, 40, Width),
            ["model.norm.weight"] = Floats(type, 2, Width),
            ["lm_head.weight"] = Floats(type, 3, 40, Width),
        };
        for (int i = 0; i < blocks; i++)
        {
            string block = $"model.layers.{i}.";
            tensors.Add(block + "input_layernorm.weight", Floats(type, 10 * i + 4, Width));
            tensors.Add(block + "self_attn.q_proj.weight", Floats(type, 10 * i + 5, Width, Width));
            tensors.Add(block + "self_attn.q_proj.bias", Floats(type, 10 * i + 6, Width));
            tensors.Add(block + "mlp.up_proj.weight", Floats(type, 10 * i + 7, Wide, Width));
            tensors.Add(block + "mlp.down_proj.weight", Floats(type, 10 * i + 8, Width, Wide));
        }

        return new TensorDictionary(tensors, "made", new Dictionary<string, string> { ["format"] = "pt" });
    }

    public static WeightTensor Floats(TensorType type, int seed, params long[] shape)
    {
        float[] values = SafetensorsTestFiles.Randoms((int)shape.Aggregate((a, b) => a * b), seed);
        return type switch
        {
            TensorType.F16 => WeightTensor.FromHalf([.. values.Select(value => (Half)value)], shape),
            TensorType.BF16 => new WeightTensor(type, shape, values.SelectMany(value => BitConverter.GetBytes((ushort)(BitConverter.SingleToUInt32Bits(value) >> 16))).ToArray()),
            _ => WeightTensor.FromSingle(values, shape),
        };
    }

    public static string Write(this TemporaryFolder folder, string name, IWeightSource source)
    {
        SafetensorsWriter.Write(folder[name], source);
        return folder[name];
    }

    /// <summary>Writes a model as two shards and their index, in a folder of that name, which is returned.</summary>
    public static string WriteSharded(this TemporaryFolder folder, string name, TensorDictionary source)
    {
        Directory.CreateDirectory(folder[name]);
        string[] shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
        string[] names = [.. source.Names];
        var map = new Dictionary<string, string>();
        for (int i = 0; i < shards.Length; i++)
        {
            IEnumerable<KeyValuePair<string, WeightTensor>> part = names.Where((_, n) => n % 2 == i).Select(n => KeyValuePair.Create(n, Import.ImportChecks.Get(source, n)));
            SafetensorsWriter.Write(Path.Combine(folder[name], shards[i]), part);
            foreach (string tensor in names.Where((_, n) => n % 2 == i))
            {
                map.Add(tensor, shards[i]);
            }
        }

        File.WriteAllText(
            Path.Combine(folder[name], "model.safetensors.index.json"),
            System.Text.Json.JsonSerializer.Serialize(new { metadata = new { total_size = 1 }, weight_map = map }));
        return folder[name];
    }
}
