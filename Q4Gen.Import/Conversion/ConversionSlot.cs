namespace Q4Gen.Import.Conversion;

/// <summary>
/// The one converted layer that a source keeps. A file is written in the order of names, in which a layer's tensors
/// follow one another, so one slot converts each layer once and memory stays that of the largest.
/// </summary>
internal sealed class ConversionSlot
{
    private readonly Lock _lock = new();
    private LayerConversion? _owner;
    private ConvertedLayer? _layer;

    /// <summary>The result of a conversion, made now unless it is the one that the slot holds.</summary>
    public ConvertedLayer Get(LayerConversion conversion)
    {
        lock (_lock)
        {
            if (_owner != conversion || _layer is null)
            {
                // The old layer goes first: two at a time would be twice the memory.
                _owner = null;
                _layer = null;
                _layer = conversion.Convert();
                _owner = conversion;
            }

            return _layer;
        }
    }
}
