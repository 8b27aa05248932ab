using Q4Gen.Import.Conversion;
using Q4Gen.Import.Floats;
using Q4Gen.Loading;
using Q4Gen.Safetensors;

namespace Q4Gen.Import;

/// <summary>
/// A model in floats as a weight source whose linear layers are in 4 bits. Unlike
/// <see cref="Linear4BitQuantizer.QuantizeModel(IWeightSource, QuantizationOptions, Func{string, bool})"/>, which makes
/// all of them at once in memory, it quantises a layer when one of its tensors is read: for models of any size.
/// </summary>
/// <remarks>
/// GPT-2's matrices, which stand in files as <c>[in, out]</c>, are transposed.
/// <see cref="QuantizationOptions.OnMatrix"/> is told each result; <see cref="QuantizationOptions.Progress"/> nothing, for
/// what is read when is the reader's.
/// </remarks>
public sealed class QuantizedSource : ImportSource
{
    private const string WeightEnd = ".weight";

    private QuantizedSource(
        IWeightSource source, QuantizationOptions options, Func<string, bool> isLinear, IDisposable? owned, CancellationToken ct)
        : base(source.Description, Gather(source, options, isLinear, ct), source.Metadata, owned)
    {
    }

    /// <summary>Opens safetensors, one file or shards; nothing is quantised yet.</summary>
    /// <param name="path">A file, an index, or the folder of a model.</param>
    /// <param name="options">The method, the same for all layers.</param>
    /// <param name="isLinear">Whether a name, without its <c>.weight</c>, is that of a linear layer; <see cref="LinearNames.IsUsuallyQuantized"/> where null.</param>
    /// <param name="ct">Stops the quantiser.</param>
    /// <exception cref="ArgumentOutOfRangeException">The options name no method or a negative group.</exception>
    /// <exception cref="IOException">A file is not there or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">A file may not be read.</exception>
    /// <exception cref="WeightFormatException">A file is malformed, or has no layer to quantise or one that cannot be.</exception>
    public static QuantizedSource Open(
        string path, QuantizationOptions options, Func<string, bool>? isLinear = null, CancellationToken ct = default)
    {
        SafetensorsModel model = SafetensorsModel.Open(path);
        try
        {
            return Create(model, options, isLinear, model, ct);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Takes tensors from another source, which stays the caller's and must stay open.</summary>
    /// <param name="source">The model's tensors.</param>
    /// <param name="options">The method, the same for all layers.</param>
    /// <param name="isLinear">Whether a name, without its <c>.weight</c>, is that of a linear layer; <see cref="LinearNames.IsUsuallyQuantized"/> where null.</param>
    /// <param name="ct">Stops the quantiser.</param>
    /// <exception cref="ArgumentOutOfRangeException">The options name no method or a negative group.</exception>
    /// <exception cref="WeightFormatException">The source has no layer to quantise or one that cannot be, or layers of another group in 4 bits already.</exception>
    public static QuantizedSource From(
        IWeightSource source, QuantizationOptions options, Func<string, bool>? isLinear, CancellationToken ct) =>
        Create(source, options, isLinear, owned: null, ct);

    private static QuantizedSource Create(
        IWeightSource source, QuantizationOptions options, Func<string, bool>? isLinear, IDisposable? owned, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        return new QuantizedSource(source, options, isLinear ?? LinearNames.IsUsuallyQuantized, owned, ct);
    }

    private static ImportedTensors Gather(
        IWeightSource source, QuantizationOptions options, Func<string, bool> isLinear, CancellationToken ct)
    {
        var tensors = new ImportedTensors(source.Description);
        IReadOnlyList<FloatMatrix> matrices = FloatMatrix.FindAll(source, isLinear);
        if (matrices.Count == 0)
        {
            throw new WeightFormatException(
                $"{source.Description}: has no matrix to quantise: none of its {source.Names.Count} tensors is named {{name}}{WeightEnd}, has two dimensions, an even number of columns, floats and the name of a linear layer.");
        }

        // A file records one group, so whole rows are groups that the widest layer fills.
        int group = options.Group != QuantizationOptions.WholeRow ? options.Group : matrices.Max(matrix => matrix.In);
        if (source.Metadata.TryGetValue(SafetensorsWriter.GroupSizeKey, out string? recorded)
            && recorded != group.ToString(System.Globalization.CultureInfo.InvariantCulture)
            && source.Names.Any(name => name.EndsWith(LayerTensors.WeightSuffix, StringComparison.Ordinal)))
        {
            throw new WeightFormatException(
                $"{source.Description}: records {SafetensorsWriter.GroupSizeKey} {SafetensorsText.Quote(recorded)} for layers that are in 4 bits already, but group {group} is asked for, and a file has one; "
                + "quantise with that group, or start from the file before.");
        }

        Dictionary<string, FloatMatrix> linear = matrices.ToDictionary(matrix => matrix.Name + WeightEnd);
        foreach (string name in source.Names)
        {
            if (linear.TryGetValue(name, out FloatMatrix? matrix))
            {
                AddLayer(tensors, source, matrix, options, group, ct);
            }
            else if (source.TryGet(name, out WeightTensor? tensor))
            {
                tensors.Add(name, tensor);
            }
        }

        return tensors;
    }

    private static void AddLayer(
        ImportedTensors tensors, IWeightSource source, FloatMatrix matrix, QuantizationOptions options, int group, CancellationToken ct)
    {
        foreach (string suffix in (string[])[LayerTensors.OffsetsSuffix, LayerTensors.OrderSuffix])
        {
            if (source.TryGet(LayerTensors.Join(matrix.Name, suffix), out _))
            {
                throw new WeightFormatException(
                    $"{source.Description}: holds {SafetensorsText.Quote(LayerTensors.Join(matrix.Name, suffix))} already, which would be taken for the quantised layer's; remove it.");
            }
        }

        var layer = new ImportedLayer(
            matrix.Name, matrix.Tensor.Type.ToString(), new Linear4BitShape(matrix.In, matrix.Out, group), options.Affine, hasInputOrder: false, alwaysLossless: false);
        string what = $"tensor {SafetensorsText.Quote(matrix.Name + WeightEnd)} of {source.Description}";
        tensors.AddLayer(layer, [matrix.Tensor], () =>
        {
            WeightTensor rows = matrix.IsTransposed ? Conv1d.Transpose(matrix.Tensor) : matrix.Tensor;
            QuantizedMatrix result = Linear4BitQuantizer.Prepare(rows, options, group, matrix.Name, what).Run(null, ct);
            options.OnMatrix?.Invoke(matrix.Name, result);
            return ConvertedLayer.From(result);
        });
    }
}
