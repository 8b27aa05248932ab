namespace Q4Gen.Import;

/// <summary>A linear layer of a model file, in 4 bits or still to be quantised.</summary>
/// <param name="Name">The prefix of its tensors, without a final dot.</param>
/// <param name="Shape">In, Out and Group; of floats the group that they would be quantised in.</param>
/// <param name="HasBias">Whether the file has <c>{name}.bias</c>.</param>
/// <param name="IsAffine">Whether each group has an offset beside its scale.</param>
/// <param name="Format">What the file holds, such as <c>F16</c>, <c>Q4_K</c>, <c>GPTQ</c> or <c>4-bit</c>.</param>
/// <param name="IsQuantized">Whether it is in 4 bits, in the file or once it is read; floats that stay are not.</param>
/// <param name="HasInputOrder">Whether its columns are in another order than its inputs (act-order).</param>
public sealed record LinearLayer(string Name, Linear4BitShape Shape, bool HasBias, bool IsAffine, string Format, bool IsQuantized = true, bool HasInputOrder = false);
