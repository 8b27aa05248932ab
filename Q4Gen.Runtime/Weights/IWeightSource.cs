using System.Diagnostics.CodeAnalysis;

namespace Q4Gen;

/// <summary>Named tensors to load layers from: a safetensors file, a sharded model, or a dictionary in memory.</summary>
public interface IWeightSource
{
    /// <summary>What error messages call the source: a file path, or a few words.</summary>
    string Description { get; }

    /// <summary>The names of all tensors.</summary>
    IReadOnlyCollection<string> Names { get; }

    /// <summary>Free-form facts that the source records about itself, such as <c>group_size</c>; empty where it records none.</summary>
    IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Finds a tensor by its full name.</summary>
    bool TryGet(string name, [NotNullWhen(true)] out WeightTensor? tensor);
}
