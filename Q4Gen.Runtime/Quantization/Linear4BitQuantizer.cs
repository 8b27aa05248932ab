using Q4Gen.Quantization;

namespace Q4Gen;

/// <summary>
/// Turns matrices of weights into 4 bits, each group of a row on its own: the element of largest magnitude, with its
/// sign, becomes −8 exactly (<c>scale = max / −8</c>), so all 16 codes are used; the scale is rounded to F16 first and
/// every other element then takes the nearest code at that scale. Deterministic, whatever the number of threads.
/// </summary>
public static class Linear4BitQuantizer
{
    /// <summary>Quantises one matrix.</summary>
    /// <param name="matrix">F32, F16 or BF16 <c>[out, in]</c>, finite; in must be even.</param>
    /// <param name="group">Columns that share a scale; the last group of a row may be shorter.</param>
    /// <param name="progress">Told the finished share of the matrix, 0 to 1, in rising order, from worker threads.</param>
    /// <param name="ct">Stops the work between blocks of rows.</param>
    /// <exception cref="ArgumentOutOfRangeException">The group is not positive.</exception>
    /// <exception cref="WeightFormatException">
    /// The matrix has another type or shape, an element is infinite or no number, or a group has values of 524,160 and
    /// more, whose scale would be infinite in F16.
    /// </exception>
    /// <exception cref="OperationCanceledException">The work was cancelled.</exception>
    public static QuantizedMatrix Quantize(
        WeightTensor matrix, int group, IProgress<double>? progress = null, CancellationToken ct = default)
    {
        ArgumentNullException.ThrowIfNull(matrix);
        return Quantize(matrix, group, "the matrix", progress, ct);
    }

    /// <summary>Quantises the linear layers of a model.</summary>
    /// <param name="source">The model; tensors that stay as they are remain the source's own memory, so keep it open.</param>
    /// <param name="group">Columns that share a scale; recorded as <c>group_size</c> in the result's metadata.</param>
    /// <param name="isLinear">
    /// Whether a name is that of a linear layer. Asked for every <c>{name}.weight</c> with two dimensions, among which
    /// embeddings are, too.
    /// </param>
    /// <param name="progress">Told the finished share of the bytes to quantise, 0 to 1, in rising order, from worker threads.</param>
    /// <param name="ct">Stops the work between blocks of rows.</param>
    /// <param name="onMatrix">Told each layer's name and result, errors included, as soon as it is done.</param>
    /// <returns>
    /// The model with <c>{name}.weight_4bit</c> and <c>{name}.scales_4bit</c> in place of each such <c>{name}.weight</c>,
    /// and all other tensors unchanged.
    /// </returns>
    /// <exception cref="ArgumentOutOfRangeException">The group is not positive.</exception>
    /// <exception cref="WeightFormatException">
    /// A matrix cannot be quantised (see <see cref="Quantize(WeightTensor, int, IProgress{double}?, CancellationToken)"/>),
    /// no tensor is a linear layer's, or the source holds 4-bit layers of another group or of the same name already.
    /// </exception>
    /// <exception cref="OperationCanceledException">The work was cancelled.</exception>
    public static TensorDictionary QuantizeModel(
        IWeightSource source,
        int group,
        Func<string, bool> isLinear,
        IProgress<double>? progress = null,
        CancellationToken ct = default,
        Action<string, QuantizedMatrix>? onMatrix = null)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(isLinear);
        return ModelQuantizer.Quantize(source, group, isLinear, progress, ct, onMatrix);
    }

    /// <summary>As the public one, with <paramref name="what"/> for error messages to call the matrix.</summary>
    internal static QuantizedMatrix Quantize(
        WeightTensor matrix, int group, string what, IProgress<double>? progress, CancellationToken ct)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(group);
        return new MatrixQuantizer(matrix, ShapeOf(matrix, group, what), what).Run(progress, ct);
    }

    private static Linear4BitShape ShapeOf(WeightTensor matrix, int group, string what)
    {
        if (matrix.Type is not (TensorType.F32 or TensorType.F16 or TensorType.BF16))
        {
            throw new WeightFormatException($"Cannot quantise {what}: it is {matrix}, but only F32, F16 and BF16 can be; convert it first.");
        }

        if (matrix.Shape.Count != 2 || matrix.Shape[0] is <= 0 or > int.MaxValue || matrix.Shape[1] is <= 0 or > int.MaxValue)
        {
            throw new WeightFormatException($"Cannot quantise {what}: it is {matrix}, but a linear layer's matrix is [out, in], both positive.");
        }

        if (matrix.Shape[1] % 2 != 0)
        {
            throw new WeightFormatException(
                $"Cannot quantise {what}: it is {matrix}, but In = {matrix.Shape[1]} is odd and a byte holds two columns; leave this layer as it is.");
        }

        var shape = new Linear4BitShape((int)matrix.Shape[1], (int)matrix.Shape[0], group);
        if (shape.WeightBytes > Array.MaxLength || shape.ScaleCount * 2 > Array.MaxLength)
        {
            throw new WeightFormatException(
                $"Cannot quantise {what}: it is {matrix}, which in 4 bits takes more than the {Array.MaxLength} bytes that one array holds; split it by rows.");
        }

        return shape;
    }
}
