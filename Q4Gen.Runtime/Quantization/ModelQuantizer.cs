using System.Globalization;
using Q4Gen.Loading;
using Q4Gen.Safetensors;

namespace Q4Gen.Quantization;

/// <summary>Quantises the linear layers of a whole model and passes everything else through.</summary>
internal static class ModelQuantizer
{
    private const string WeightSuffix = ".weight";

    public static TensorDictionary Quantize(
        IWeightSource source,
        int group,
        Func<string, bool> isLinear,
        IProgress<double>? progress,
        CancellationToken ct,
        Action<string, QuantizedMatrix>? onMatrix)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(group);
        string recorded = group.ToString(CultureInfo.InvariantCulture);
        if (source.Metadata.TryGetValue(SafetensorsWriter.GroupSizeKey, out string? present) && present != recorded)
        {
            throw new WeightFormatException(
                $"{source.Description}: records {SafetensorsWriter.GroupSizeKey} {SafetensorsText.Quote(present)} for layers that are in 4 bits already, "
                + $"but group {recorded} is asked for, and a file has one; quantise with that group, or start from the file before.");
        }

        var metadata = new Dictionary<string, string>(SafetensorsWriter.DescribeGroup(group));
        foreach ((string key, string value) in source.Metadata)
        {
            metadata[key] = value;
        }

        List<(string Prefix, WeightTensor Matrix)> linear = FindLinear(source, isLinear);
        long bytesDone = 0;
        long bytesTotal = linear.Sum(layer => layer.Matrix.ByteLength);
        var quantized = new Dictionary<string, QuantizedMatrix>();
        foreach ((string prefix, WeightTensor matrix) in linear)
        {
            string what = $"tensor {SafetensorsText.Quote(prefix + WeightSuffix)} of {source.Description}";
            IProgress<double>? share = progress is null ? null : new Share(progress, bytesDone, matrix.ByteLength, bytesTotal);
            QuantizedMatrix result = Linear4BitQuantizer.Quantize(matrix, group, what, share, ct);
            bytesDone += matrix.ByteLength;
            quantized.Add(prefix + WeightSuffix, result);
            onMatrix?.Invoke(prefix, result);
        }

        return new TensorDictionary(Assemble(source, quantized), $"{source.Description} in 4 bits", metadata);
    }

    private static List<(string Prefix, WeightTensor Matrix)> FindLinear(IWeightSource source, Func<string, bool> isLinear)
    {
        var linear = new List<(string, WeightTensor)>();
        foreach (string name in source.Names)
        {
            if (name.EndsWith(WeightSuffix, StringComparison.Ordinal)
                && source.TryGet(name, out WeightTensor? tensor)
                && tensor.Shape.Count == 2
                && isLinear(name[..^WeightSuffix.Length]))
            {
                linear.Add((name[..^WeightSuffix.Length], tensor));
            }
        }

        return linear.Count != 0
            ? linear
            : throw new WeightFormatException(
                $"{source.Description}: has no matrix to quantise: none of its {source.Names.Count} tensors is named "
                + $"{{name}}{WeightSuffix}, has two dimensions and a name that the caller takes for a linear layer's.");
    }

    private static Dictionary<string, WeightTensor> Assemble(IWeightSource source, Dictionary<string, QuantizedMatrix> quantized)
    {
        var tensors = new Dictionary<string, WeightTensor>();
        foreach (string name in source.Names)
        {
            if (quantized.TryGetValue(name, out QuantizedMatrix? matrix))
            {
                string prefix = name[..^WeightSuffix.Length];
                Add(LayerTensors.Join(prefix, LayerTensors.WeightSuffix), matrix.Weight4Bit);
                Add(LayerTensors.Join(prefix, LayerTensors.ScalesSuffix), matrix.Scales4Bit);
            }
            else if (source.TryGet(name, out WeightTensor? tensor))
            {
                Add(name, tensor);
            }
        }

        return tensors;

        void Add(string name, WeightTensor tensor)
        {
            if (!tensors.TryAdd(name, tensor))
            {
                throw new WeightFormatException(
                    $"{source.Description}: holds {SafetensorsText.Quote(name)} already, beside a matrix that quantises to the same name; remove one of the two.");
            }
        }
    }

    /// <summary>One layer's progress as a part of the model's.</summary>
    private sealed class Share(IProgress<double> whole, long done, long bytes, long total) : IProgress<double>
    {
        public void Report(double value) => whole.Report((done + value * bytes) / total);
    }
}
