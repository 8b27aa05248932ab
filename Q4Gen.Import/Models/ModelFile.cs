using Q4Gen.Import.Floats;
using Q4Gen.Import.Gguf;
using Q4Gen.Import.Llama2c;
using Q4Gen.Import.Models;
using Q4Gen.Import.Onnx;
using Q4Gen.Import.Packed;
using Q4Gen.Loading;

namespace Q4Gen.Import;

/// <summary>
/// A model of any format that is known, recognised by its content: what its file holds, its linear layers, and all of it
/// as a weight source in this library's layout.
/// </summary>
public sealed class ModelFile : IDisposable
{
    private const int UsualGroup = 128;

    private readonly IDisposable[] _owned;

    private ModelFile(string path, ModelFormat format, IWeightSource source, IReadOnlyList<FileTensor> tensors, params IDisposable[] owned)
    {
        Path = path;
        Format = format;
        Source = source;
        Tensors = tensors;
        _owned = owned;
    }

    /// <summary>What was opened.</summary>
    public string Path { get; }

    /// <summary>What it is.</summary>
    public ModelFormat Format { get; }

    /// <summary>The model in this library's layout; layers are converted when they are read.</summary>
    public IWeightSource Source { get; }

    /// <summary>The tensors that the file has, in its order.</summary>
    public IReadOnlyList<FileTensor> Tensors { get; }

    /// <summary>
    /// The linear layers in the file's order: those in 4 bits, or that <see cref="Source"/> turns into such, and matrices of
    /// floats that could be.
    /// </summary>
    public IReadOnlyList<LinearLayer> Layers { get; private init; } = [];

    /// <summary>Of the layers, those that <see cref="Source"/> converts, with what that costs.</summary>
    public IReadOnlyList<ImportedLayer> Converted => Source is ImportSource imported ? imported.Layers : [];

    /// <summary>Opens a model and checks all that its headers say; nothing is converted yet.</summary>
    /// <param name="path">A file, an index of shards, or the folder of a model.</param>
    /// <param name="options">What to make of it; nothing is quantised that need not be where null.</param>
    /// <exception cref="ArgumentException"><paramref name="path"/> is null or empty, or the options name no method or a negative group.</exception>
    /// <exception cref="IOException">A file is not there or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">A file may not be read.</exception>
    /// <exception cref="WeightFormatException">A file is malformed, or nothing that is known.</exception>
    public static ModelFile Open(string path, ModelFileOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new ModelFileOptions();
        options.Quantization?.Validate();
        return FormatDetection.OfFile(path) switch
        {
            ModelFormat.Gguf => OpenGguf(path, options),
            ModelFormat.Onnx => Create(path, ModelFormat.Onnx, OnnxSource.Open(path), options),
            ModelFormat.Llama2c => Create(path, ModelFormat.Llama2c, Llama2cSource.Open(path), options),
            _ => OpenSafetensors(path, options),
        };
    }

    /// <summary>What a file is, by its first bytes; all kinds of safetensors are <see cref="ModelFormat.Safetensors"/>.</summary>
    /// <param name="path">A file, an index of shards, or the folder of a model.</param>
    /// <exception cref="IOException">The file is not there or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    /// <exception cref="WeightFormatException">It is nothing that is known.</exception>
    public static ModelFormat DetectContainer(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return FormatDetection.OfFile(path);
    }

    /// <summary>Releases the files; their tensors throw from now on.</summary>
    public void Dispose()
    {
        foreach (IDisposable owned in _owned)
        {
            owned.Dispose();
        }
    }

    private static ModelFile OpenGguf(string path, ModelFileOptions options)
    {
        var import = new GgufImportOptions
        {
            IsLinear = options.IsLinear,
            HuggingFaceNames = options.HuggingFaceNames,
            QuantizeFloats = options.Quantization is not null,
            Cancellation = options.Cancellation,
        };
        GgufSource source = GgufSource.Open(path, options.Quantization is { } quantization ? import with { Quantization = quantization } : import);
        FileTensor[] tensors = [.. source.File.Tensors.Select(tensor => new FileTensor(tensor.Name, tensor.Type.ToString(), [.. tensor.Shape], tensor.ByteLength))];
        return new ModelFile(path, ModelFormat.Gguf, source, tensors, source) { Layers = FindLayers(source, options) };
    }

    private static ModelFile OpenSafetensors(string path, ModelFileOptions options)
    {
        ModelFormat format;
        FileTensor[] tensors;
        using (SafetensorsModel model = SafetensorsModel.Open(path))
        {
            format = FormatDetection.OfTensors(model);

            // Importers hand out what they make; what the file has is asked of the file.
            tensors = Describe(model);
        }

        return format switch
        {
            ModelFormat.CompressedTensors => CreatePacked(path, format, CompressedTensorsSource.Open(path), tensors, options),
            ModelFormat.Gptq => CreatePacked(path, format, GptqSource.Open(path), tensors, options),
            ModelFormat.Awq => CreatePacked(path, format, AwqSource.Open(path), tensors, options),
            ModelFormat.Mlx => CreatePacked(path, format, MlxSource.Open(path), tensors, options),
            ModelFormat.Q4GenPacked => CreatePacked(path, format, PanelSource.Open(path), tensors, options),
            _ => Create(path, format, SafetensorsModel.Open(path), options),
        };
    }

    /// <summary>A source whose tensors are the file's, quantised where that is asked for and there is something to quantise.</summary>
    private static ModelFile Create<T>(string path, ModelFormat format, T source, ModelFileOptions options)
        where T : IWeightSource, IDisposable
    {
        try
        {
            IReadOnlyList<FileTensor> tensors = Describe(source);
            Func<string, bool> isLinear = IsLinear(options);
            if (options.Quantization is not { } quantization || (format is ModelFormat.Q4Gen or ModelFormat.Onnx && FloatMatrix.FindAll(source, isLinear).Count == 0))
            {
                return new ModelFile(path, format, source, tensors, source) { Layers = FindLayers(source, options) };
            }

            QuantizedSource quantized = QuantizedSource.From(source, quantization, isLinear, options.Cancellation);
            return new ModelFile(path, format, quantized, tensors, quantized, source) { Layers = FindLayers(quantized, options) };
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    private static ModelFile CreatePacked(string path, ModelFormat format, ImportSource source, FileTensor[] tensors, ModelFileOptions options)
    {
        try
        {
            return new ModelFile(path, format, source, tensors, source) { Layers = FindLayers(source, options) };
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    private static Func<string, bool> IsLinear(ModelFileOptions options) =>
        name => options.IsLinear?.Invoke(name) ?? LinearNames.IsUsuallyQuantized(name);

    private static FileTensor[] Describe(IWeightSource source) =>
    [
        .. source.Names.Select(name => source.TryGet(name, out WeightTensor? tensor)
            ? new FileTensor(name, Safetensors.SafetensorsText.TypeName(tensor.Type), [.. tensor.Shape], tensor.ByteLength)
            : throw new WeightFormatException($"{source.Description}: lists a tensor that it does not have.")),
    ];

    private static List<LinearLayer> FindLayers(IWeightSource source, ModelFileOptions options)
    {
        var layers = new List<LinearLayer>();
        Dictionary<string, ImportedLayer> imported = source is ImportSource { Layers: { } all } ? all.ToDictionary(layer => layer.Name) : [];
        Dictionary<string, FloatMatrix> floats = FloatMatrix.FindAll(source, IsLinear(options)).ToDictionary(matrix => matrix.Name);
        foreach (string name in source.Names)
        {
            if (PrefixOf(name, LayerTensors.WeightSuffix) is { } prefix)
            {
                layers.Add(imported.TryGetValue(prefix, out ImportedLayer? layer)
                    ? new LinearLayer(prefix, layer.Shape, HasBias(prefix), layer.IsAffine, layer.SourceFormat, HasInputOrder: layer.HasInputOrder)
                    : Describe4Bit(prefix));
            }
            else if (PrefixOf(name, "weight") is { } matrixName && floats.TryGetValue(matrixName, out FloatMatrix? matrix))
            {
                int group = options.Quantization?.Group ?? UsualGroup;
                var shape = new Linear4BitShape(matrix.In, matrix.Out, group == QuantizationOptions.WholeRow ? matrix.In : group);
                layers.Add(new LinearLayer(matrixName, shape, HasBias(matrixName), options.Quantization?.Affine ?? false, matrix.Tensor.Type.ToString(), IsQuantized: false));
            }
        }

        return layers;

        bool HasBias(string prefix) => source.TryGet(LayerTensors.Join(prefix, LayerTensors.BiasSuffix), out _);

        LinearLayer Describe4Bit(string prefix)
        {
            var tensors = LayerTensors.Find(source, prefix);
            int group = GroupInference.Infer(tensors, null);
            return new LinearLayer(prefix, new Linear4BitShape(tensors.In, tensors.Out, group), tensors.Bias is not null, tensors.Offsets is not null, "4-bit", HasInputOrder: tensors.Order is not null);
        }
    }

    private static string? PrefixOf(string name, string suffix) =>
        name == suffix ? ""
        : name.EndsWith(suffix, StringComparison.Ordinal) && name[^(suffix.Length + 1)] == '.' ? name[..^(suffix.Length + 1)]
        : null;
}
