namespace Q4Gen.Import.Conversion;

/// <summary>One of a converted layer's tensors, made when it is read.</summary>
internal sealed class ConvertedStorage(
    LayerConversion conversion, Func<ConvertedLayer, WeightTensor> part, long length) : TensorStorage
{
    /// <inheritdoc/>
    public override long Length => length;

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> Slice(long offset, int length)
    {
        // Nothing is asked for where a caller only wants to know that the source is what it was.
        if (length == 0)
        {
            conversion.CheckUnchanged();
            return [];
        }

        // The span keeps its array, so what another layer replaces in the slot stays readable.
        return part(conversion.Get()).Bytes(offset, length);
    }

    /// <inheritdoc/>
    public override void Hold() => conversion.Hold();

    /// <inheritdoc/>
    public override void Release() => conversion.Release();

    /// <summary>Nothing: the source owns the file.</summary>
    public override void Dispose()
    {
    }
}
