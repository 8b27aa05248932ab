using Q4Gen.Loading;
using Q4Gen.Safetensors;

namespace Q4Gen.Import.Conversion;

/// <summary>Gathers what an importer hands out.</summary>
internal sealed class ImportedTensors(string description)
{
    // As many as a layer takes when it is loaded.
    private const int MaxFeatures = 1 << 25;

    private readonly Dictionary<string, WeightTensor> _tensors = [];
    private readonly List<ImportedLayer> _layers = [];
    private readonly ConversionSlot _slot = new();

    /// <summary>Tensors by name.</summary>
    public IReadOnlyDictionary<string, WeightTensor> Tensors => _tensors;

    /// <summary>Layers in the order in which they were added.</summary>
    public IReadOnlyList<ImportedLayer> Layers => _layers;

    /// <summary>A tensor that is no layer's.</summary>
    /// <exception cref="WeightFormatException">There is one of that name.</exception>
    public void Add(string name, WeightTensor tensor)
    {
        if (!_tensors.TryAdd(name, tensor))
        {
            throw new WeightFormatException(
                $"{description}: has two tensors that are named {SafetensorsText.Quote(name)} in 4 bits, but names are unique; rename or remove one.");
        }
    }

    /// <summary>A layer that <paramref name="convert"/> makes from <paramref name="inputs"/> when it is read.</summary>
    /// <exception cref="WeightFormatException">No layer can have the shape, or there is a tensor of one of the names.</exception>
    public void AddLayer(ImportedLayer layer, IReadOnlyList<WeightTensor> inputs, Func<ConvertedLayer> convert)
    {
        Linear4BitShape shape = layer.Shape;
        if (shape.In is <= 0 or > MaxFeatures || shape.Out is <= 0 or > MaxFeatures || shape.In % 2 != 0
            || shape.WeightBytes > Array.MaxLength || shape.ScaleCount * 2 > Array.MaxLength)
        {
            throw new WeightFormatException(
                $"{description}: layer {SafetensorsText.Quote(layer.Name)} has {shape.In} inputs and {shape.Out} outputs, but in 4 bits a layer has 1 to {MaxFeatures} of both, "
                + $"an even number of inputs and at most {Array.MaxLength} bytes; leave this layer out of the linear ones.");
        }

        var conversion = new LayerConversion(layer, inputs, convert, _slot);
        long scaleBytes = shape.ScaleCount * sizeof(ushort);
        Add(LayerTensors.WeightSuffix, TensorType.U8, [shape.Out, shape.In / 2], static part => part.Weight, shape.WeightBytes);
        Add(LayerTensors.ScalesSuffix, TensorType.F16, [shape.Out, shape.Groups], static part => part.Scales, scaleBytes);
        if (layer.IsAffine)
        {
            Add(LayerTensors.OffsetsSuffix, TensorType.F16, [shape.Out, shape.Groups], static part => part.Offsets!, scaleBytes);
        }

        if (layer.HasInputOrder)
        {
            Add(LayerTensors.OrderSuffix, TensorType.I32, [shape.In], static part => part.Order!, shape.In * (long)sizeof(int));
        }

        _layers.Add(layer);

        void Add(string suffix, TensorType type, long[] sizes, Func<ConvertedLayer, WeightTensor> part, long length) =>
            this.Add(
                LayerTensors.Join(layer.Name, suffix),
                new WeightTensor(type, sizes, new ConvertedStorage(conversion, part, length), 0, length));
    }

    /// <summary>The file's facts, and the group size where all layers have one.</summary>
    public IReadOnlyDictionary<string, string> Describe(IEnumerable<KeyValuePair<string, string>> facts)
    {
        var metadata = new Dictionary<string, string>();
        foreach ((string key, string value) in facts)
        {
            metadata[key] = value;
        }

        int[] groups = [.. _layers.Select(layer => layer.Shape.Group).Distinct()];
        if (groups.Length != 0)
        {
            // Whatever the file calls a group size, it is not that of these layers.
            metadata.Remove(SafetensorsWriter.GroupSizeKey);
        }

        if (groups is [int group])
        {
            foreach ((string key, string value) in SafetensorsWriter.DescribeGroup(group))
            {
                metadata[key] = value;
            }
        }

        return metadata;
    }
}
