using Q4Gen.Safetensors;
using Q4Gen.Tool.Console;

namespace Q4Gen.Tool.Convert;

/// <summary>The importance of each layer's columns, from a safetensors file with a tensor <c>[in]</c> for each, by its name.</summary>
internal sealed class Importances : IDisposable
{
    private readonly SafetensorsModel _file;

    private Importances(SafetensorsModel file) => _file = file;

    /// <summary>Opens a file.</summary>
    public static Importances Open(string path) => new(SafetensorsModel.Open(path));

    /// <summary>A layer's; null where the file has none for it.</summary>
    /// <exception cref="WeightFormatException">The tensor is of another type.</exception>
    public float[]? Of(string layer)
    {
        if (!_file.TryGet(layer, out WeightTensor? tensor))
        {
            return null;
        }

        if (tensor is not { Type: TensorType.F32 or TensorType.F16 or TensorType.BF16, Shape: [> 0 and <= 1 << 25] })
        {
            throw new WeightFormatException($"{_file.Description}: tensor {SafetensorsText.Quote(layer)} is {tensor}, but the importance of columns is F32 [in]; write it with ColumnImportance.");
        }

        return tensor.ToSingleArray();
    }

    /// <summary>Throws where the file has tensors of no layer that could be quantised: most likely it is another model's.</summary>
    public void CheckNames(IEnumerable<string> layers)
    {
        var known = layers.ToHashSet();
        if (_file.Names.FirstOrDefault(name => !known.Contains(name)) is { } stray)
        {
            throw new UsageException($"{_file.Description}: has the importance of {SafetensorsText.Quote(stray)}, which is no layer that is quantised here; its tensors must be named like layers, without '.weight'.");
        }
    }

    public void Dispose() => _file.Dispose();
}
