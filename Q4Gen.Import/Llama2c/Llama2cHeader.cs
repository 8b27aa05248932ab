using System.Buffers.Binary;

namespace Q4Gen.Import.Llama2c;

/// <summary>Reads what a checkpoint starts with.</summary>
/// <param name="Version">0, which has no number in the file, or 1.</param>
/// <param name="Config">The model's shape.</param>
/// <param name="DataStart">Where the tensors start.</param>
/// <remarks>Source: export.py of llama2.c, <c>legacy_export</c> and <c>version1_export</c>.</remarks>
internal sealed record Llama2cHeader(int Version, Llama2cConfig Config, long DataStart)
{
    private const uint Magic = 0x616b3432;
    private const int Integers = 7;
    private const int Version1Bytes = 256;
    private const int MaxWidth = 1 << 25;
    private const int MaxLayers = 1 << 16;
    private const string FetchAgain = "the file is damaged or is no llama2.c checkpoint; fetch or export it again";

    /// <summary>Reads and checks a header.</summary>
    /// <exception cref="WeightFormatException">It is none, or of a version that is not taken.</exception>
    public static Llama2cHeader Read(TensorStorage file, string description)
    {
        const int shortest = Integers * sizeof(int);
        if (file.Length < shortest)
        {
            throw Broken(description, $"has {file.Length} bytes, but a checkpoint starts with {shortest}");
        }

        if (BinaryPrimitives.ReadUInt32LittleEndian(file.Slice(0, sizeof(uint))) != Magic)
        {
            return new Llama2cHeader(0, ReadConfig(file.Slice(0, shortest), shared: null, description), shortest);
        }

        int version = BinaryPrimitives.ReadInt32LittleEndian(file.Slice(4, sizeof(int)));
        if (version != 1)
        {
            throw new WeightFormatException(
                $"{description}: is a llama2.c checkpoint of version {version}, but only versions 0 and 1 are taken, which hold float32; export the model with --version 1.");
        }

        if (file.Length < Version1Bytes)
        {
            throw Broken(description, $"has {file.Length} bytes, but a checkpoint of version 1 starts with {Version1Bytes}");
        }

        const int integersStart = 8;
        byte shared = file.Slice(integersStart + shortest, 1)[0];
        return shared <= 1
            ? new Llama2cHeader(1, ReadConfig(file.Slice(integersStart, shortest), shared == 1, description), Version1Bytes)
            : throw Broken(description, $"has {shared} where it says whether the output is the embedding, but 0 or 1 is expected");
    }

    private static Llama2cConfig ReadConfig(ReadOnlySpan<byte> bytes, bool? shared, string description)
    {
        Span<int> values = stackalloc int[Integers];
        for (int i = 0; i < Integers; i++)
        {
            values[i] = BinaryPrimitives.ReadInt32LittleEndian(bytes[(i * sizeof(int))..]);
        }

        // In version 0 a negative vocabulary says that the output is a matrix of its own.
        int vocabulary = shared is null && values[5] != int.MinValue ? Math.Abs(values[5]) : values[5];
        var config = new Llama2cConfig(
            values[0], values[1], values[2], values[3], values[4], vocabulary, values[6], shared ?? values[5] > 0);
        bool possible = config is
            { Width: > 0 and <= MaxWidth, MlpWidth: > 0 and <= MaxWidth, Layers: > 0 and <= MaxLayers, Heads: > 0, KeyValueHeads: > 0, Vocabulary: > 0, Context: > 0 };
        return possible && config.Width % config.Heads == 0 && config.HeadSize % 2 == 0 && config.Heads % config.KeyValueHeads == 0
            ? config
            : throw Broken(
                description,
                $"starts with {string.Join(", ", values.ToArray())} for width, MLP width, layers, heads, key heads, vocabulary and context, but positive numbers are expected, with heads of an even size and as many for each key head");
    }

    /// <summary>A rule is broken.</summary>
    public static WeightFormatException Broken(string description, string rule) => new($"{description}: {rule}; {FetchAgain}.");
}
