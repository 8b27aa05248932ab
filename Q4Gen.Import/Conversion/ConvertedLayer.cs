namespace Q4Gen.Import.Conversion;

/// <summary>A layer's tensors in memory, and how far they are from what the file says.</summary>
internal sealed record ConvertedLayer(WeightTensor Weight, WeightTensor Scales, WeightTensor? Offsets, WeightTensor? Order, ImportError Error)
{
    /// <summary>What the quantiser made.</summary>
    public static ConvertedLayer From(QuantizedMatrix matrix) =>
        new(matrix.Weight4Bit, matrix.Scales4Bit, matrix.Offsets4Bit, null, new ImportError(matrix.RelativeRmsError, matrix.MaxAbsoluteError));
}
