using Q4Gen.Import.Conversion;
using Q4Gen.Loading;
using Q4Gen.Safetensors;

namespace Q4Gen.Import.Packed;

/// <summary>Finds and checks the tensors of layers that are packed by four bits in a safetensors model.</summary>
internal sealed class PackedTensors(IWeightSource source)
{
    // As many as a layer takes when it is loaded.
    private const int MaxFeatures = 1 << 25;

    private readonly HashSet<string> _taken = [];

    /// <summary>What error messages call the model.</summary>
    public string Description => source.Description;

    /// <summary>What becomes of the model.</summary>
    public ImportedTensors Imported { get; } = new(source.Description);

    /// <summary>The prefixes of all layers, which have a tensor that ends in <paramref name="suffix"/>.</summary>
    /// <exception cref="WeightFormatException">There is none.</exception>
    public IReadOnlyList<string> FindLayers(string suffix, string format)
    {
        string[] prefixes = [.. source.Names
            .Where(name => name == suffix || name.EndsWith("." + suffix, StringComparison.Ordinal))
            .Select(name => name.Length == suffix.Length ? "" : name[..^(suffix.Length + 1)])
            .Order(StringComparer.Ordinal)];
        return prefixes.Length != 0
            ? prefixes
            : throw new WeightFormatException(
                $"{Description}: has no layer of {format}: none of its {source.Names.Count} tensors is named {{name}}.{suffix}; import it as what it is.");
    }

    /// <summary>A layer's tensor, which is not passed through; null where there is none.</summary>
    public WeightTensor? Find(string prefix, string suffix)
    {
        string name = LayerTensors.Join(prefix, suffix);
        if (!source.TryGet(name, out WeightTensor? tensor))
        {
            return null;
        }

        _taken.Add(name);
        return tensor;
    }

    /// <summary>A layer's tensor that must be there.</summary>
    /// <exception cref="WeightFormatException">It is not.</exception>
    public WeightTensor Get(string prefix, string suffix) => Find(prefix, suffix)
        ?? throw new WeightFormatException($"{Description}: has no tensor {Name(prefix, suffix)}, which its layer needs; fetch the model again.");

    /// <summary>Checks a tensor's type and shape.</summary>
    /// <exception cref="WeightFormatException">It has others.</exception>
    public void Expect(string prefix, string suffix, WeightTensor tensor, ReadOnlySpan<TensorType> types, params ReadOnlySpan<long> shape)
    {
        if (!types.Contains(tensor.Type) || !tensor.Shape.ToArray().AsSpan().SequenceEqual(shape))
        {
            throw Unfit(prefix, suffix, tensor, $"{string.Join(" or ", types.ToArray())} {WeightTensor.DescribeShape(shape)} is expected");
        }
    }

    /// <summary>A layer's shape; a group has all columns where there is one, else those that the model says, else what divides.</summary>
    /// <param name="prefix">The layer's.</param>
    /// <param name="inFeatures">Columns of a row.</param>
    /// <param name="outFeatures">Rows.</param>
    /// <param name="groups">Scales of a row.</param>
    /// <param name="group">What the model says, or null.</param>
    /// <exception cref="WeightFormatException">No layer is such, or the three contradict each other, or the group cannot be known.</exception>
    public Linear4BitShape ShapeOf(string prefix, long inFeatures, long outFeatures, long groups, int? group)
    {
        if (inFeatures is <= 0 or > MaxFeatures || outFeatures is <= 0 or > MaxFeatures || inFeatures % 2 != 0)
        {
            throw new WeightFormatException(
                $"{Description}: layer {SafetensorsText.Quote(prefix)} has {inFeatures} inputs and {outFeatures} outputs, but a layer has 1 to {MaxFeatures} of both and an even number of inputs; fetch the model again.");
        }

        long size = groups == 1 ? inFeatures
            : group is > 0 ? group.Value
            : groups > 0 && inFeatures % groups == 0 ? inFeatures / groups
            : 0;
        return size > 0 && (inFeatures + size - 1) / size == groups
            ? new Linear4BitShape((int)inFeatures, (int)outFeatures, (int)size)
            : throw new WeightFormatException(
                $"{Description}: layer {SafetensorsText.Quote(prefix)} has {inFeatures} inputs and {groups} groups, {(size == 0 ? "from which a group's size does not follow" : $"but groups of {size}")}; "
                + "give the group size that the model was quantised with.");
    }

    /// <summary>Hands a layer's bias and everything that is no layer's on as it is.</summary>
    public ImportedTensors PassTheRest()
    {
        foreach (string name in source.Names)
        {
            if (!_taken.Contains(name) && source.TryGet(name, out WeightTensor? tensor))
            {
                Imported.Add(name, tensor);
            }
        }

        return Imported;
    }

    /// <summary>A name for a message.</summary>
    public static string Name(string prefix, string suffix) => SafetensorsText.Quote(LayerTensors.Join(prefix, suffix));

    /// <summary>A tensor is not what is expected.</summary>
    public WeightFormatException Unfit(string prefix, string suffix, WeightTensor tensor, string expectation) =>
        new($"{Description}: tensor {Name(prefix, suffix)} is {tensor}, but {expectation}; fetch the model again, or import it as what it is.");
}
