using System.Globalization;

namespace Q4Gen.Import;

/// <summary>One linear layer that an importer turns into 4 bits.</summary>
public sealed class ImportedLayer
{
    private readonly bool _alwaysLossless;
    private volatile ImportError? _error;

    internal ImportedLayer(string name, string sourceFormat, Linear4BitShape shape, bool isAffine, bool hasInputOrder, bool alwaysLossless)
    {
        Name = name;
        SourceFormat = sourceFormat;
        Shape = shape;
        IsAffine = isAffine;
        HasInputOrder = hasInputOrder;
        _alwaysLossless = alwaysLossless;
    }

    /// <summary>The prefix of the layer's tensors, without a final dot.</summary>
    public string Name { get; }

    /// <summary>What the file holds, such as <c>Q4_K</c> or <c>GPTQ</c>.</summary>
    public string SourceFormat { get; }

    /// <summary>In, Out and Group.</summary>
    public Linear4BitShape Shape { get; }

    /// <summary>Whether the layer has <c>offsets_4bit</c>: each group is <c>(nibble − 8) · scale + offset</c>.</summary>
    public bool IsAffine { get; }

    /// <summary>Whether the layer has <c>order_4bit</c>: its columns were sorted by group, and are not in the order of input features.</summary>
    public bool HasInputOrder { get; }

    /// <summary>
    /// Whether every weight is exactly what the file says. Null where that depends on the values and the layer has not
    /// been converted yet.
    /// </summary>
    public bool? IsLossless => _alwaysLossless ? true : _error is { } error ? error.MaxAbsolute == 0 : null;

    /// <summary>The error of the conversion; null until one of the layer's tensors was read for the first time.</summary>
    public ImportError? Error
    {
        get => _error;
        internal set => _error = value;
    }

    /// <summary><c>blk.0.attn_q: Q4_K, 4096→4096 g32, affine, relative RMS error 1.2E-04</c>.</summary>
    public override string ToString()
    {
        string error = IsLossless switch
        {
            true => "lossless",
            null => "not converted yet",
            false => string.Create(CultureInfo.InvariantCulture, $"relative RMS error {_error!.RelativeRms:E1}"),
        };
        return $"{Name}: {SourceFormat}, {Shape}{(IsAffine ? ", affine" : "")}{(HasInputOrder ? ", input order" : "")}, {error}";
    }
}
