using System.Globalization;
using Q4Gen.Import.Conversion;

namespace Q4Gen.Import.Gguf;

/// <summary>A GGUF file as a weight source: its linear layers in 4 bits, everything else in floats.</summary>
/// <remarks>
/// <para>
/// Q4_0 is lossless, in groups of 32. Q4_1 keeps nibbles and scales; its offsets, <c>m + 8d</c>, are rounded to F16, which
/// is exact where weights of a block have both signs and not much more of one. Q4_K keeps nibbles; scales and offsets of
/// its sub-blocks of 32 have up to 17 bits and are rounded to F16. Q5_0, Q5_1, Q5_K, Q6_K and Q8_0 are decoded and quantised
/// by <see cref="Linear4BitQuantizer"/>, and so are floats where asked for. <see cref="ImportedLayer.Error"/> says what each
/// costs.
/// </para>
/// <para>Embeddings and tensors of other than two dimensions are decoded to F32 where the file has blocks, and are as they are elsewhere.</para>
/// </remarks>
public sealed class GgufSource : ImportSource
{
    private const string WeightEnd = ".weight";

    // Facts are copied into every file that is written; a vocabulary as one text is not meant.
    private const int LongestFact = 1 << 16;
    private const int AllFacts = 1 << 22;

    private GgufSource(GgufFile file, GgufImportOptions options)
        : base(file.Description, Gather(file, options), Facts(file), file) => File = file;

    /// <summary>The file: metadata, tokenizer and what the tensors are in it.</summary>
    public GgufFile File { get; }

    /// <summary>Maps a file and checks all of its header; nothing is converted yet.</summary>
    /// <param name="path">The file.</param>
    /// <param name="options">What to make of its tensors; the defaults where null.</param>
    /// <exception cref="ArgumentException"><paramref name="path"/> is null or empty, or the options' group is negative.</exception>
    /// <exception cref="IOException">The file is not there or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    /// <exception cref="WeightFormatException">It is no well-formed GGUF file, or has something that is not taken.</exception>
    public static GgufSource Open(string path, GgufImportOptions? options = null) => Over(GgufFile.Open(path), options);

    /// <summary>Reads a file's bytes in memory, in place.</summary>
    /// <param name="data">The whole file.</param>
    /// <param name="description">What error messages call it.</param>
    /// <param name="options">What to make of its tensors; the defaults where null.</param>
    /// <exception cref="ArgumentException">The options' group is negative.</exception>
    /// <exception cref="WeightFormatException">It is no well-formed GGUF file, or has something that is not taken.</exception>
    public static GgufSource FromMemory(ReadOnlyMemory<byte> data, string description, GgufImportOptions? options = null) =>
        Over(GgufFile.FromMemory(data, description), options);

    private static GgufSource Over(GgufFile file, GgufImportOptions? options)
    {
        try
        {
            options ??= new GgufImportOptions();
            options.Quantization.Validate();
            return new GgufSource(file, options);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static ImportedTensors Gather(GgufFile file, GgufImportOptions options)
    {
        var tensors = new ImportedTensors(file.Description);
        HuggingFaceNames? names = options.HuggingFaceNames ? new HuggingFaceNames(file) : null;
        foreach (GgufTensor tensor in file.Tensors)
        {
            string name = names is null ? tensor.Name : HuggingFaceNames.Map(tensor.Name);
            TensorType? plain = GgufTypes.Plain(tensor.Type);
            WeightTensor data = plain is { } type ? file.View(tensor, type) : file.Blocks(tensor);
            data = names?.Reorder(tensor, data) ?? data;
            if ((plain is null || options.QuantizeFloats) && IsMatrix(tensor, name) && IsLinear(name[..^WeightEnd.Length], plain is not null, options))
            {
                AddLayer(tensors, file, tensor, name, data, options);
            }
            else
            {
                tensors.Add(name, plain is null ? Decode(tensor, data) : data);
            }
        }

        return tensors;
    }

    private static void AddLayer(
        ImportedTensors tensors, GgufFile file, GgufTensor tensor, string name, WeightTensor data, GgufImportOptions options)
    {
        bool keeps = GgufLayers.KeepsNibbles(tensor.Type);
        int inFeatures = (int)tensor.Shape[1];
        QuantizationOptions quantization = options.Quantization;
        int group = keeps ? GgufLayers.Group : quantization.Group == QuantizationOptions.WholeRow ? inFeatures : quantization.Group;
        var shape = new Linear4BitShape(inFeatures, (int)tensor.Shape[0], group);
        var layer = new ImportedLayer(
            name[..^WeightEnd.Length],
            tensor.Type.ToString(),
            shape,
            isAffine: keeps ? tensor.Type != GgufTensorType.Q4_0 : quantization.Affine,
            hasInputOrder: false,
            alwaysLossless: tensor.Type == GgufTensorType.Q4_0);
        string what = $"{file.Description}: tensor {GgufCursor.Quote(tensor.Name)}";
        if (keeps)
        {
            tensors.AddLayer(layer, [data], () => GgufLayers.Convert(data, tensor.Type, shape, what));
        }
        else
        {
            WeightTensor floats = GgufTypes.Plain(tensor.Type) is null ? Decode(tensor, data) : data;
            tensors.AddLayer(layer, [data], () =>
            {
                QuantizedMatrix matrix = Linear4BitQuantizer.Prepare(floats, quantization, group, layer.Name, what).Run(null, options.Cancellation);
                quantization.OnMatrix?.Invoke(layer.Name, matrix);
                return ConvertedLayer.From(matrix);
            });
        }
    }

    private static WeightTensor Decode(GgufTensor tensor, WeightTensor blocks)
    {
        (int elements, int bytes) = GgufTypes.Block(tensor.Type);
        long count = tensor.ByteLength / bytes * elements;
        return new WeightTensor(
            TensorType.F32, [.. tensor.Shape], new GgufDecodedStorage(blocks, tensor.Type, count), 0, count * sizeof(float));
    }

    private static bool IsMatrix(GgufTensor tensor, string name) =>
        name.EndsWith(WeightEnd, StringComparison.Ordinal)
        && tensor.Shape is [> 0 and <= int.MaxValue, > 0 and <= int.MaxValue]
        && tensor.Shape[1] % 2 == 0;

    /// <summary>Where nobody says otherwise, what the file has quantised stays so, and of floats what is usually quantised becomes so.</summary>
    private static bool IsLinear(string name, bool isPlain, GgufImportOptions options) =>
        options.IsLinear?.Invoke(name) is { } isLinear ? isLinear : isPlain ? LinearNames.IsUsuallyQuantized(name) : !LinearNames.IsEmbedding(name);

    private static Dictionary<string, string> Facts(GgufFile file)
    {
        var facts = new Dictionary<string, string>();
        long room = AllFacts;
        foreach ((string key, GgufValue value) in file.Metadata)
        {
            switch (value.Type)
            {
                case GgufValueType.List:
                case GgufValueType.Text when value.TextLength > Math.Min(LongestFact, room):
                    break;
                case GgufValueType.Text:
                    facts.Add(key, value.ToText());
                    room -= value.TextLength;
                    break;
                case GgufValueType.Bool:
                    facts.Add(key, value.ToBoolean() ? "true" : "false");
                    break;
                case GgufValueType.Float32:
                    facts.Add(key, ((float)value.ToDouble()).ToString(CultureInfo.InvariantCulture));
                    break;
                case GgufValueType.Float64:
                    facts.Add(key, value.ToDouble().ToString(CultureInfo.InvariantCulture));
                    break;
                case GgufValueType.UInt64:
                    facts.Add(key, value.ToUInt64().ToString(CultureInfo.InvariantCulture));
                    break;
                default:
                    facts.Add(key, value.ToInt64().ToString(CultureInfo.InvariantCulture));
                    break;
            }
        }

        return facts;
    }
}
