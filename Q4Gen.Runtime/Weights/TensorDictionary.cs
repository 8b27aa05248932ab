using System.Diagnostics.CodeAnalysis;

namespace Q4Gen;

/// <summary>An in-memory dictionary of tensors as a weight source.</summary>
/// <param name="tensors">Tensors by full name; used in place, not copied.</param>
/// <param name="description">What error messages call it.</param>
/// <param name="metadata">Facts such as <c>group_size</c>; none where null.</param>
public sealed class TensorDictionary(
    IReadOnlyDictionary<string, WeightTensor> tensors,
    string description = "the tensor dictionary",
    IReadOnlyDictionary<string, string>? metadata = null) : IWeightSource
{
    /// <inheritdoc/>
    public string Description { get; } = description;

    /// <inheritdoc/>
    public IReadOnlyCollection<string> Names { get; } = tensors.Keys as IReadOnlyCollection<string> ?? [.. tensors.Keys];

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, string> Metadata { get; } = metadata ?? new Dictionary<string, string>();

    /// <inheritdoc/>
    public bool TryGet(string name, [NotNullWhen(true)] out WeightTensor? tensor) => tensors.TryGetValue(name, out tensor);
}
