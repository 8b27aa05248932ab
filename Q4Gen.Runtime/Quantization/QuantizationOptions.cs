namespace Q4Gen;

/// <summary>What <see cref="Linear4BitQuantizer"/> is to do; docs/quantizing.md says what is worth it when.</summary>
public sealed record QuantizationOptions
{
    /// <summary>As <see cref="Group"/>: one scale for each row.</summary>
    public const int WholeRow = 0;

    /// <summary>
    /// Columns of a row that share a scale: 32, 64 and 128 are usual; the last group of a row may be shorter.
    /// <see cref="WholeRow"/> gives each row one scale; in a model, whose file records one group for all layers, that is
    /// the number of columns of its widest layer.
    /// </summary>
    public int Group { get; init; } = 128;

    /// <summary>How scales are found.</summary>
    public QuantizationMethod Method { get; init; } = QuantizationMethod.SignedMax;

    /// <summary>
    /// Whether each group gets an offset beside its scale, <c>w = (nibble − 8) · scale + offset</c>: a smaller error for
    /// 16 more bits a group.
    /// </summary>
    public bool Affine { get; init; }

    /// <summary>
    /// How much an error in each column matters, <c>[in]</c>, by a layer's name: finite, not negative, not all zero. For
    /// instance the mean square of the column's activations, see <see cref="ColumnImportance"/>. The search then makes
    /// <c>Σ importance · (w − ŵ)²</c> small; <see cref="QuantizationMethod.SignedMax"/> only reports it. Null, or null
    /// for a layer: all columns matter the same. A matrix on its own is asked for by the empty name.
    /// </summary>
    public Func<string, float[]?>? Importance { get; init; }

    /// <summary>Told the finished share of the work, 0 to 1, in rising order, from worker threads.</summary>
    public IProgress<double>? Progress { get; init; }

    /// <summary>
    /// Told each layer's name and result, errors included, as soon as <see cref="Linear4BitQuantizer"/> is done with that
    /// layer of a model; <see cref="QuantizationErrorTable.Add"/> makes a table of them.
    /// </summary>
    public Action<string, QuantizedMatrix>? OnMatrix { get; init; }

    /// <summary>Throws where a property has no meaning.</summary>
    internal void Validate()
    {
        if (Group < 0)
        {
            throw new ArgumentOutOfRangeException(
                nameof(Group), Group, $"Group must be positive, or {nameof(QuantizationOptions)}.{nameof(WholeRow)} for one scale a row.");
        }

        if (Method is not (QuantizationMethod.SignedMax or QuantizationMethod.Search))
        {
            throw new ArgumentOutOfRangeException(
                nameof(Method), Method, $"Method must be {nameof(QuantizationMethod.SignedMax)} or {nameof(QuantizationMethod.Search)}.");
        }
    }
}
