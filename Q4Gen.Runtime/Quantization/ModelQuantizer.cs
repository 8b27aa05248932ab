using System.Globalization;
using Q4Gen.Loading;
using Q4Gen.Safetensors;

namespace Q4Gen.Quantization;

/// <summary>Quantises the linear layers of a whole model and passes everything else through.</summary>
internal static class ModelQuantizer
{
    private const string WeightSuffix = ".weight";

    public static TensorDictionary Quantize(
        IWeightSource source, QuantizationOptions options, Func<string, bool> isLinear, CancellationToken ct)
    {
        List<(string Prefix, WeightTensor Matrix)> linear = FindLinear(source, isLinear);
        int group = GroupOf(options, linear);
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

        long bytesDone = 0;
        long bytesTotal = linear.Sum(layer => layer.Matrix.ByteLength);
        var quantized = new Dictionary<string, QuantizedMatrix>();
        foreach ((string prefix, WeightTensor matrix) in linear)
        {
            string what = $"tensor {SafetensorsText.Quote(prefix + WeightSuffix)} of {source.Description}";
            IProgress<double>? share = options.Progress is null ? null : new Share(options.Progress, bytesDone, matrix.ByteLength, bytesTotal);
            QuantizedMatrix result = Linear4BitQuantizer.Prepare(matrix, options, group, prefix, what).Run(share, ct);
            bytesDone += matrix.ByteLength;
            quantized.Add(prefix + WeightSuffix, result);
            options.OnMatrix?.Invoke(prefix, result);
        }

        return new TensorDictionary(Assemble(source, quantized), $"{source.Description} in 4 bits", metadata);
    }

    /// <summary>A file records one group, so whole rows are groups that the widest layer fills.</summary>
    private static int GroupOf(QuantizationOptions options, List<(string Prefix, WeightTensor Matrix)> linear) =>
        options.Group != QuantizationOptions.WholeRow
            ? options.Group
            : (int)Math.Clamp(linear.Max(layer => layer.Matrix.Shape[1]), 1, int.MaxValue);

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
                if (matrix.Offsets4Bit is { } offsets)
                {
                    Add(LayerTensors.Join(prefix, LayerTensors.OffsetsSuffix), offsets);
                }
                else
                {
                    CheckAbsent(LayerTensors.Join(prefix, LayerTensors.OffsetsSuffix));
                }

                CheckAbsent(LayerTensors.Join(prefix, LayerTensors.OrderSuffix));
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
                throw Taken(name);
            }
        }

        // What is there already would be taken for this matrix's.
        void CheckAbsent(string name)
        {
            if (source.TryGet(name, out _))
            {
                throw Taken(name);
            }
        }

        WeightFormatException Taken(string name) => new(
            $"{source.Description}: holds {SafetensorsText.Quote(name)} already, beside a matrix that quantises to the same name; remove one of the two.");
    }

    /// <summary>One layer's progress as a part of the model's.</summary>
    private sealed class Share(IProgress<double> whole, long done, long bytes, long total) : IProgress<double>
    {
        public void Report(double value) => whole.Report((done + value * bytes) / total);
    }
}
