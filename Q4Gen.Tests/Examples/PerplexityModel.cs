using Storyteller;
using Storyteller.Decoding;
using Storyteller.Scoring;

namespace Q4Gen.Tests.Examples;

/// <summary>A trained model whose linears can be made anew, and texts: to score, and others to calibrate with.</summary>
/// <param name="CreateDecoder">A decoder whose linears are made from their float32 weights and number of inputs, always in the same order.</param>
/// <param name="Windows">Tokens to score, a window each; all but the first token are.</param>
/// <param name="Calibration">Windows of other stories.</param>
internal sealed record PerplexityModel(Func<Func<float[], int, LinearOp>, Decoder> CreateDecoder, int[][] Windows, int[][] Calibration)
{
    private const int Stories = 30;
    private const int CalibrationStories = 10;
    private const string StoryEnd = "<|endoftext|>\n";

    /// <summary>The two models of llama2.c, each story cut at the model's context, and the Storyteller's, in a stream.</summary>
    public static PerplexityModel Open(string name) => name switch
    {
        "stories260K" => OpenLlama2c(name, "checkpoint_legacy.bin", "tokenizer.bin"),
        "babyllama-tok105" => OpenLlama2c(name, "model5000.bin", "tok105.bin"),
        "Storyteller" => OpenStoryteller(),
        _ => throw new ArgumentException($"There is no model {name}.", nameof(name)),
    };

    /// <summary>The score over the first windows, or over all.</summary>
    public Score Score(Func<float[], int, LinearOp> linear, int windows = int.MaxValue)
    {
        var scorer = new Scorer(CreateDecoder(linear));
        Score total = default;
        foreach (int[] window in Windows.Take(windows))
        {
            total += scorer.ScoreWindow(window);
        }

        return total;
    }

    /// <summary>The mean squares of every linear's inputs over the calibration text, in the order in which linears are made.</summary>
    public float[][] CollectImportance()
    {
        var importances = new List<ColumnImportance>();
        Decoder decoder = CreateDecoder((weight, inFeatures) =>
        {
            var importance = new ColumnImportance(inFeatures);
            importances.Add(importance);
            var dense = new PerplexityLinear(weight, inFeatures);
            return (x, y) =>
            {
                importance.Add(x);
                dense.Forward(x, y);
            };
        });
        foreach (int[] window in Calibration)
        {
            decoder.Reset();
            decoder.Forward(window.AsSpan(0, Math.Min(window.Length, decoder.Config.Context)));
        }

        return [.. importances.Select(importance => importance.ToArray())];
    }

    private static PerplexityModel OpenLlama2c(string name, string weights, string vocabulary)
    {
        var checkpoint = Llama2cCheckpoint.Open(SharedFiles.Find("models", name, weights));
        var tokenizer = Llama2cTokenizer.Open(SharedFiles.Find("models", name, vocabulary));
        string text = File.ReadAllText(SharedFiles.Find("corpora", "tinystories.txt"));
        int[][] windows = [.. text.Split(StoryEnd).Take(Stories + CalibrationStories).Select(Cut)];
        return new PerplexityModel(checkpoint.CreateDecoder, windows[..Stories], windows[Stories..]);

        int[] Cut(string story)
        {
            int[] tokens = tokenizer.Encode(story);
            return tokens[..Math.Min(tokens.Length, checkpoint.Config.Context)];
        }
    }

    private static PerplexityModel OpenStoryteller()
    {
        return new PerplexityModel(
            CreateStoryteller, Windows("storyteller-heldout.txt", int.MaxValue), Windows("tinystories.txt", CalibrationStories));

        static int[][] Windows(string corpus, int stories)
        {
            string text = File.ReadAllText(SharedFiles.Find("corpora", corpus));
            int[] stream = EmbeddedModel.CreateTokenizer().EncodeStories(string.Join(StoryEnd, text.Split(StoryEnd).Take(stories)));
            int context = StoryModel.Config.Context;
            return [.. Enumerable.Range(0, (stream.Length - 1) / context).Select(i => stream[(i * context)..((i + 1) * context + 1)])];
        }
    }

    private static Decoder CreateStoryteller(Func<float[], int, LinearOp> linear)
    {
        using SafetensorsFile weights = EmbeddedModel.OpenWeights();
        DecoderConfig config = StoryModel.Config;
        float[] embedding = Read("model.embed_tokens");
        DecoderBlock[] blocks = [.. Enumerable.Range(0, config.Layers).Select(i => new DecoderBlock
        {
            AttentionNorm = Read($"model.layers.{i}.input_layernorm"),
            Query = linear(Read($"model.layers.{i}.self_attn.q_proj"), config.Width),
            Key = linear(Read($"model.layers.{i}.self_attn.k_proj"), config.Width),
            Value = linear(Read($"model.layers.{i}.self_attn.v_proj"), config.Width),
            AttentionOutput = linear(Read($"model.layers.{i}.self_attn.o_proj"), config.Width),
            MlpNorm = Read($"model.layers.{i}.post_attention_layernorm"),
            Gate = linear(Read($"model.layers.{i}.mlp.gate_proj"), config.Width),
            Up = linear(Read($"model.layers.{i}.mlp.up_proj"), config.Width),
            Down = linear(Read($"model.layers.{i}.mlp.down_proj"), config.MlpWidth),
        })];
        return new Decoder(config, new DecoderWeights(embedding, blocks, Read("model.norm"), new PerplexityLinear(embedding, config.Width).Forward));

        float[] Read(string prefix)
        {
            Assert.True(weights.TryGet($"{prefix}.weight", out WeightTensor? tensor), prefix);
            return tensor.ToSingleArray();
        }
    }
}
