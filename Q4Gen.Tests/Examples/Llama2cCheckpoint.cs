using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Storyteller.Decoding;

namespace Q4Gen.Tests.Examples;

/// <summary>
/// A checkpoint of llama2.c, version 0: seven little-endian i32, then float32 tensors grouped by kind, each kind for
/// all layers. Turned into what the decoder takes: rotary pairs as halves instead of neighbours.
/// </summary>
internal sealed class Llama2cCheckpoint
{
    private readonly byte[] _bytes;
    private int _at;

    private Llama2cCheckpoint(byte[] bytes)
    {
        _bytes = bytes;
        int width = ReadInt32();
        int mlpWidth = ReadInt32();
        int layers = ReadInt32();
        int heads = ReadInt32();
        int keyValueHeads = ReadInt32();
        int vocabulary = ReadInt32();
        int context = ReadInt32();
        Assert.True(vocabulary > 0, "A negative vocabulary size marks an output apart from the embedding, which no test model has.");
        Config = new DecoderConfig(width, mlpWidth, layers, heads, keyValueHeads, vocabulary, context);

        Embedding = ReadSingle(vocabulary * width);
        AttentionNorms = ReadLayers(width);
        Queries = ReadLayers(width * width);
        Keys = ReadLayers(Config.KeyValueWidth * width);
        Values = ReadLayers(Config.KeyValueWidth * width);
        AttentionOutputs = ReadLayers(width * width);
        MlpNorms = ReadLayers(width);
        Gates = ReadLayers(mlpWidth * width);
        Downs = ReadLayers(mlpWidth * width);
        Ups = ReadLayers(mlpWidth * width);
        FinalNorm = ReadSingle(width);
        Array.ForEach(Queries, PairsToHalves);
        Array.ForEach(Keys, PairsToHalves);
    }

    public DecoderConfig Config { get; }

    private float[] Embedding { get; }

    private float[][] AttentionNorms { get; }

    private float[][] Queries { get; }

    private float[][] Keys { get; }

    private float[][] Values { get; }

    private float[][] AttentionOutputs { get; }

    private float[][] MlpNorms { get; }

    private float[][] Gates { get; }

    private float[][] Downs { get; }

    private float[][] Ups { get; }

    private float[] FinalNorm { get; }

    public static Llama2cCheckpoint Open(string path) => new(File.ReadAllBytes(path));

    /// <summary>A decoder whose seven linears a block are made from their float32 weights and number of inputs.</summary>
    public Decoder CreateDecoder(Func<float[], int, LinearOp> linear)
    {
        DecoderBlock[] blocks = [.. Enumerable.Range(0, Config.Layers).Select(layer => new DecoderBlock
        {
            AttentionNorm = AttentionNorms[layer],
            Query = linear(Queries[layer], Config.Width),
            Key = linear(Keys[layer], Config.Width),
            Value = linear(Values[layer], Config.Width),
            AttentionOutput = linear(AttentionOutputs[layer], Config.Width),
            MlpNorm = MlpNorms[layer],
            Gate = linear(Gates[layer], Config.Width),
            Up = linear(Ups[layer], Config.Width),
            Down = linear(Downs[layer], Config.MlpWidth),
        })];
        LinearOp output = new DenseLinear(Embedding, Config.Width).Forward;
        return new Decoder(Config, new DecoderWeights(Embedding, blocks, FinalNorm, output));
    }

    private int ReadInt32()
    {
        int value = BinaryPrimitives.ReadInt32LittleEndian(_bytes.AsSpan(_at));
        _at += sizeof(int);
        return value;
    }

    private float[] ReadSingle(int count)
    {
        float[] values = MemoryMarshal.Cast<byte, float>(_bytes.AsSpan(_at, count * sizeof(float))).ToArray();
        _at += count * sizeof(float);
        return values;
    }

    private float[][] ReadLayers(int count) => [.. Enumerable.Range(0, Config.Layers).Select(_ => ReadSingle(count))];

    /// <summary>Reorders the rows of every head, (0, 1, 2, 3, …) → (0, 2, 4, …, 1, 3, 5, …): scores do not change.</summary>
    private void PairsToHalves(float[] weight)
    {
        int half = Config.HeadSize / 2;
        float[] original = [.. weight];
        for (int row = 0; row < weight.Length / Config.Width; row++)
        {
            int inHead = row % Config.HeadSize;
            int source = row - inHead + (inHead < half ? 2 * inHead : 2 * (inHead - half) + 1);
            original.AsSpan(source * Config.Width, Config.Width).CopyTo(weight.AsSpan(row * Config.Width));
        }
    }
}
