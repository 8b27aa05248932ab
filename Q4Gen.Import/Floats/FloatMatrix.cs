namespace Q4Gen.Import.Floats;

/// <summary>A matrix of floats that a linear layer multiplies by.</summary>
/// <param name="Name">Without its <c>.weight</c>.</param>
/// <param name="Tensor">F32, F16 or BF16.</param>
/// <param name="IsTransposed">Whether it is <c>[in, out]</c>.</param>
internal sealed record FloatMatrix(string Name, WeightTensor Tensor, bool IsTransposed)
{
    private const string WeightEnd = ".weight";

    public int In => (int)Tensor.Shape[IsTransposed ? 0 : 1];

    public int Out => (int)Tensor.Shape[IsTransposed ? 1 : 0];

    /// <summary>All matrices of a source that can be in 4 bits and are linear layers' by name, in its order.</summary>
    public static IReadOnlyList<FloatMatrix> FindAll(IWeightSource source, Func<string, bool> isLinear)
    {
        Func<string, bool> isTransposed = Conv1d.In(source);
        var found = new List<FloatMatrix>();
        foreach (string name in source.Names)
        {
            if (name.EndsWith(WeightEnd, StringComparison.Ordinal)
                && source.TryGet(name, out WeightTensor? tensor)
                && tensor is { Type: TensorType.F32 or TensorType.F16 or TensorType.BF16, Shape: [> 0 and <= int.MaxValue, > 0 and <= int.MaxValue] })
            {
                string prefix = name[..^WeightEnd.Length];
                var matrix = new FloatMatrix(prefix, tensor, isTransposed(prefix));
                if (matrix.In % 2 == 0 && isLinear(prefix))
                {
                    found.Add(matrix);
                }
            }
        }

        return found;
    }
}
