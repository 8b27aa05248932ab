using Q4Gen.Quantization;

namespace Q4Gen;

/// <summary>
/// Turns matrices of weights into 4 bits, each group of a row on its own. Where no <see cref="QuantizationOptions"/> say
/// otherwise, the element of largest magnitude, with its sign, becomes −8 exactly (<c>scale = max / −8</c>), so all 16
/// codes are used. Scales, and offsets where there are some, are rounded to F16 first, and every element then takes the
/// nearest code at the rounded ones. Runs on all processors; deterministic, whatever the number of threads.
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
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(group);
        return Quantize(matrix, new QuantizationOptions { Group = group, Progress = progress }, ct);
    }

    /// <summary>Quantises one matrix as options say.</summary>
    /// <param name="matrix">F32, F16 or BF16 <c>[out, in]</c>, finite; in must be even.</param>
    /// <param name="options">The method; their importance is asked for the empty name.</param>
    /// <exception cref="ArgumentOutOfRangeException">The options name no method or a negative group.</exception>
    /// <exception cref="ArgumentException">The importance is not <c>[in]</c>, or has a negative or no finite element, or none but zeros.</exception>
    /// <exception cref="WeightFormatException">
    /// The matrix has another type or shape, an element is infinite or no number, or a group has values of 524,160 and
    /// more, whose scale would be infinite in F16.
    /// </exception>
    public static QuantizedMatrix Quantize(WeightTensor matrix, QuantizationOptions options) =>
        Quantize(matrix, options, CancellationToken.None);

    /// <param name="matrix">F32, F16 or BF16 <c>[out, in]</c>, finite; in must be even.</param>
    /// <param name="options">The method; their importance is asked for the empty name.</param>
    /// <param name="ct">Stops the work between blocks of rows.</param>
    /// <inheritdoc cref="Quantize(WeightTensor, QuantizationOptions)"/>
    /// <exception cref="OperationCanceledException">The work was cancelled.</exception>
    public static QuantizedMatrix Quantize(WeightTensor matrix, QuantizationOptions options, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(matrix);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        return Prepare(matrix, options, options.Group, "", "the matrix").Run(options.Progress, ct);
    }

    /// <summary>By signed max, with <paramref name="what"/> for error messages to call the matrix.</summary>
    internal static QuantizedMatrix Quantize(WeightTensor matrix, int group, string what) =>
        Prepare(matrix, new QuantizationOptions { Group = group }, group, "", what).Run(null, CancellationToken.None);

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
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(group);
        return QuantizeModel(source, new QuantizationOptions { Group = group, Progress = progress, OnMatrix = onMatrix }, isLinear, ct);
    }

    /// <summary>Quantises the linear layers of a model as options say.</summary>
    /// <param name="source">The model; tensors that stay as they are remain the source's own memory, so keep it open.</param>
    /// <param name="options">The method, the same for all layers; their importance is asked for each layer's name.</param>
    /// <param name="isLinear">
    /// Whether a name is that of a linear layer. Asked for every <c>{name}.weight</c> with two dimensions, among which
    /// embeddings are, too.
    /// </param>
    /// <returns>
    /// The model with <c>{name}.weight_4bit</c>, <c>{name}.scales_4bit</c> and, where it is affine,
    /// <c>{name}.offsets_4bit</c> in place of each such <c>{name}.weight</c>, and all other tensors unchanged.
    /// </returns>
    /// <exception cref="ArgumentOutOfRangeException">The options name no method or a negative group.</exception>
    /// <exception cref="ArgumentException">A layer's importance is not <c>[in]</c>, or has a negative or no finite element, or none but zeros.</exception>
    /// <exception cref="WeightFormatException">
    /// A matrix cannot be quantised (see <see cref="Quantize(WeightTensor, QuantizationOptions)"/>), no tensor is a linear
    /// layer's, or the source holds 4-bit layers of another group or of the same name already.
    /// </exception>
    public static TensorDictionary QuantizeModel(IWeightSource source, QuantizationOptions options, Func<string, bool> isLinear) =>
        QuantizeModel(source, options, isLinear, CancellationToken.None);

    /// <param name="source">The model; tensors that stay as they are remain the source's own memory, so keep it open.</param>
    /// <param name="options">The method, the same for all layers; their importance is asked for each layer's name.</param>
    /// <param name="isLinear">
    /// Whether a name is that of a linear layer. Asked for every <c>{name}.weight</c> with two dimensions, among which
    /// embeddings are, too.
    /// </param>
    /// <param name="ct">Stops the work between blocks of rows.</param>
    /// <inheritdoc cref="QuantizeModel(IWeightSource, QuantizationOptions, Func{string, bool})"/>
    /// <exception cref="OperationCanceledException">The work was cancelled.</exception>
    public static TensorDictionary QuantizeModel(
        IWeightSource source, QuantizationOptions options, Func<string, bool> isLinear, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(isLinear);
        options.Validate();
        return ModelQuantizer.Quantize(source, options, isLinear, ct);
    }

    /// <summary>Checks a matrix and its importance.</summary>
    /// <param name="matrix">The matrix.</param>
    /// <param name="options">Valid options.</param>
    /// <param name="group">Columns that share a scale; <see cref="QuantizationOptions.WholeRow"/> for all.</param>
    /// <param name="name">What the importance is asked for.</param>
    /// <param name="what">What to call the matrix in messages.</param>
    /// <param name="maxThreads">Threads at most; −1 for as many as there are.</param>
    internal static MatrixQuantizer Prepare(
        WeightTensor matrix, QuantizationOptions options, int group, string name, string what, int maxThreads = -1)
    {
        Linear4BitShape shape = ShapeOf(matrix, group, what);
        var importance = Importance.Create(options.Importance?.Invoke(name), shape, what);
        return new MatrixQuantizer(matrix, shape, options, importance, what) { MaxThreads = maxThreads };
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

        int inFeatures = (int)matrix.Shape[1];
        var shape = new Linear4BitShape(inFeatures, (int)matrix.Shape[0], group == QuantizationOptions.WholeRow ? inFeatures : group);
        if (shape.WeightBytes > Array.MaxLength || shape.ScaleCount * 2 > Array.MaxLength)
        {
            throw new WeightFormatException(
                $"Cannot quantise {what}: it is {matrix}, which in 4 bits takes more than the {Array.MaxLength} bytes that one array holds; split it by rows.");
        }

        return shape;
    }
}
