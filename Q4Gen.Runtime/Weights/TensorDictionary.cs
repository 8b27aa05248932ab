using System.Diagnostics.CodeAnalysis;

namespace Q4Gen;

/// <summary>An in-memory dictionary of tensors as a weight source.</summary>
public sealed class TensorDictionary : IWeightSource
{
    private readonly IReadOnlyDictionary<string, WeightTensor> _tensors;

    /// <summary>Wraps a dictionary.</summary>
    /// <param name="tensors">Tensors by full name; used in place, not copied.</param>
    /// <param name="description">What error messages call it.</param>
    /// <param name="metadata">Facts such as <c>group_size</c>; none where null.</param>
    /// <exception cref="ArgumentNullException"><paramref name="tensors"/> or <paramref name="description"/> is null.</exception>
    public TensorDictionary(
        IReadOnlyDictionary<string, WeightTensor> tensors,
        string description = "the tensor dictionary",
        IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        ArgumentNullException.ThrowIfNull(description);
        _tensors = tensors;
        Description = description;
        Metadata = metadata ?? new Dictionary<string, string>();
    }

    /// <inheritdoc/>
    public string Description { get; }

    /// <inheritdoc/>
    public IReadOnlyCollection<string> Names => _tensors.Keys as IReadOnlyCollection<string> ?? [.. _tensors.Keys];

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <inheritdoc/>
    public bool TryGet(string name, [NotNullWhen(true)] out WeightTensor? tensor) =>
        _tensors.TryGetValue(name, out tensor) && tensor is not null;
}
