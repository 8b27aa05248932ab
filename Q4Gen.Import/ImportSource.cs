using System.Diagnostics.CodeAnalysis;
using Q4Gen.Import.Conversion;

namespace Q4Gen.Import;

/// <summary>
/// Weights of another format as a weight source in ours. Nothing is converted on opening: a layer is when one of its
/// tensors is read, so that <see cref="SafetensorsWriter.Write(string, IWeightSource)"/> streams a model of any size.
/// </summary>
/// <remarks>
/// <para>
/// A layer has <c>{name}.weight_4bit</c>, U8 <c>[out, in/2]</c>, <c>{name}.scales_4bit</c>, F16 <c>[out, groups]</c>, and
/// where <see cref="ImportedLayer.IsAffine"/> <c>{name}.offsets_4bit</c>, F16 <c>[out, groups]</c>:
/// <c>w[o, k] = (nibble − 8) · scale[o, g] + offset[o, g]</c>. Column k multiplies input feature k, or, where
/// <see cref="ImportedLayer.HasInputOrder"/>, the one that <c>{name}.order_4bit</c>, I32 <c>[in]</c>, names. Other tensors have
/// their own names and element types.
/// </para>
/// <para>
/// A source keeps the last converted layer, and those that are being loaded just now. Any number of threads may read;
/// conversions take turns.
/// </para>
/// </remarks>
public abstract class ImportSource : IWeightSource, IDisposable
{
    private readonly IReadOnlyDictionary<string, WeightTensor> _tensors;
    private readonly IDisposable? _owned;
    private bool _disposed;

    private protected ImportSource(
        string description, ImportedTensors tensors, IEnumerable<KeyValuePair<string, string>> facts, IDisposable? owned)
    {
        Description = description;
        _tensors = tensors.Tensors;
        _owned = owned;
        Names = [.. tensors.Tensors.Keys];
        Layers = tensors.Layers;
        Metadata = tensors.Describe(facts);
    }

    /// <inheritdoc/>
    public string Description { get; }

    /// <inheritdoc/>
    public IReadOnlyCollection<string> Names { get; }

    /// <summary>Facts of the file that are text, numbers or truth values, and <c>group_size</c> where all layers have one.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>The layers in 4 bits, in the file's order.</summary>
    public IReadOnlyList<ImportedLayer> Layers { get; }

    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">The source is disposed.</exception>
    public bool TryGet(string name, [NotNullWhen(true)] out WeightTensor? tensor)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return _tensors.TryGetValue(name, out tensor);
    }

    /// <summary>Releases the file; the source's tensors throw from now on.</summary>
    public void Dispose()
    {
        _disposed = true;
        _owned?.Dispose();
        GC.SuppressFinalize(this);
    }
}
