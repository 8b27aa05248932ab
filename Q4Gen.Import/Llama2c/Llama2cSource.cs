using System.Globalization;
using Q4Gen.Import.Conversion;

namespace Q4Gen.Import.Llama2c;

/// <summary>
/// A checkpoint of llama2.c, version 0 or 1, as a source of F32 tensors with the names that Hugging Face's Llama has:
/// <c>model.layers.0.self_attn.q_proj.weight</c> and so on. <see cref="Linear4BitQuantizer.QuantizeModel(IWeightSource, QuantizationOptions, Func{string, bool})"/> makes 4 bits
/// of it.
/// </summary>
/// <remarks>
/// In the file rotary pairs are neighbouring rows of queries and keys; here they are halves of a head, as those names
/// imply. All values are exactly the file's. Its rotary tables are left out: they follow from the shape.
/// </remarks>
public sealed class Llama2cSource : ImportSource
{
    private Llama2cSource(TensorStorage storage, string description, Llama2cHeader header)
        : base(description, new Walk(storage, description, header).Run(), Facts(header.Config), storage) => Config = header.Config;

    /// <summary>The model's shape.</summary>
    public Llama2cConfig Config { get; }

    /// <summary>Maps a file and checks that its size is what its header says.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="ArgumentException"><paramref name="path"/> is null or empty.</exception>
    /// <exception cref="IOException">The file is not there or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    /// <exception cref="WeightFormatException">It is no checkpoint of version 0 or 1.</exception>
    public static Llama2cSource Open(string path) =>
        ImportFile.Over(ImportFile.Open(path, "llama2.c"), storage => new Llama2cSource(storage, path, Llama2cHeader.Read(storage, path)));

    /// <summary>Reads a file's bytes in memory, in place.</summary>
    /// <param name="data">The whole file.</param>
    /// <param name="description">What error messages call it.</param>
    /// <exception cref="WeightFormatException">It is no checkpoint of version 0 or 1.</exception>
    public static Llama2cSource FromMemory(ReadOnlyMemory<byte> data, string description)
    {
        ArgumentNullException.ThrowIfNull(description);
        return ImportFile.Over(
            new ManagedStorage(data, description),
            storage => new Llama2cSource(storage, description, Llama2cHeader.Read(storage, description)));
    }

    /// <summary>What a loader of the model needs to know, under the names of Hugging Face's config.json.</summary>
    private static Dictionary<string, string> Facts(Llama2cConfig config)
    {
        var facts = new Dictionary<string, string> { ["model_type"] = "llama", ["tie_word_embeddings"] = config.SharesEmbedding ? "true" : "false" };
        foreach ((string key, int value) in new[]
                 {
                     ("hidden_size", config.Width), ("intermediate_size", config.MlpWidth), ("num_hidden_layers", config.Layers),
                     ("num_attention_heads", config.Heads), ("num_key_value_heads", config.KeyValueHeads), ("vocab_size", config.Vocabulary),
                     ("max_position_embeddings", config.Context),
                 })
        {
            facts.Add(key, value.ToString(CultureInfo.InvariantCulture));
        }

        return facts;
    }

    /// <summary>Goes through a file in its order; tensors of a kind stand together, one a layer.</summary>
    private sealed class Walk(TensorStorage storage, string description, Llama2cHeader header)
    {
        private readonly Llama2cConfig _config = header.Config;
        private readonly ImportedTensors _tensors = new(description);
        private Int128 _at = header.DataStart;

        public ImportedTensors Run()
        {
            CheckLength();
            if (header.Version == 0)
            {
                Add("model.embed_tokens", _config.Vocabulary, _config.Width);
                AddNorms("input_layernorm");
                AddAttention();
                AddNorms("post_attention_layernorm");
                AddMlp();
                Add("model.norm", _config.Width);
                _at += (Int128)TableElements() * sizeof(float);
            }
            else
            {
                AddNorms("input_layernorm");
                AddNorms("post_attention_layernorm");
                Add("model.norm", _config.Width);
                Add("model.embed_tokens", _config.Vocabulary, _config.Width);
                AddAttention();
                AddMlp();
            }

            if (!_config.SharesEmbedding)
            {
                Add("lm_head", _config.Vocabulary, _config.Width);
            }

            return _tensors;
        }

        /// <summary>Cosines and sines, of each position and pair.</summary>
        private long TableElements() => (long)_config.Context * _config.HeadSize;

        /// <summary>Before anything is made, for a header may speak of layers by the thousand.</summary>
        private void CheckLength()
        {
            Int128 width = _config.Width;
            Int128 layer = 2 * width + 2 * width * width + 2 * width * _config.KeyValueWidth + 3 * width * _config.MlpWidth;
            Int128 elements = layer * _config.Layers + width + width * _config.Vocabulary * (_config.SharesEmbedding ? 1 : 2)
                + (header.Version == 0 ? TableElements() : 0);
            Int128 expected = header.DataStart + elements * sizeof(float);
            if (storage.Length != expected)
            {
                throw Llama2cHeader.Broken(
                    description, $"has {storage.Length} bytes, but a checkpoint of version {header.Version} with {_config} has {expected}");
            }
        }

        private void AddAttention()
        {
            AddOfLayers("self_attn.q_proj", _config.Width, _config.Width, rotary: true);
            AddOfLayers("self_attn.k_proj", _config.KeyValueWidth, _config.Width, rotary: true);
            AddOfLayers("self_attn.v_proj", _config.KeyValueWidth, _config.Width);
            AddOfLayers("self_attn.o_proj", _config.Width, _config.Width);
        }

        private void AddMlp()
        {
            AddOfLayers("mlp.gate_proj", _config.MlpWidth, _config.Width);
            AddOfLayers("mlp.down_proj", _config.Width, _config.MlpWidth);
            AddOfLayers("mlp.up_proj", _config.MlpWidth, _config.Width);
        }

        private void AddNorms(string name)
        {
            for (int layer = 0; layer < _config.Layers; layer++)
            {
                Add($"model.layers.{layer}.{name}", _config.Width);
            }
        }

        private void AddOfLayers(string name, int rows, int columns, bool rotary = false)
        {
            for (int layer = 0; layer < _config.Layers; layer++)
            {
                string full = $"model.layers.{layer}.{name}";
                WeightTensor tensor = Next(rows, columns);
                _tensors.Add(full + ".weight", rotary ? RotaryRows.Reorder(tensor, _config.HeadSize, (long)columns * sizeof(float)) : tensor);
            }
        }

        private void Add(string name, params ReadOnlySpan<long> shape) => _tensors.Add(name + ".weight", Next(shape));

        private WeightTensor Next(params ReadOnlySpan<long> shape)
        {
            long bytes = sizeof(float);
            foreach (long size in shape)
            {
                bytes *= size;
            }

            var tensor = new WeightTensor(TensorType.F32, shape.ToArray(), storage, (long)_at, bytes);
            _at += bytes;
            return tensor;
        }
    }
}
