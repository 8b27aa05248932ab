namespace Q4Gen.Import.Conversion;

/// <summary>A layer that is converted when one of its tensors is read.</summary>
internal sealed class LayerConversion(
    ImportedLayer layer, IReadOnlyList<WeightTensor> inputs, Func<ConvertedLayer> convert, ConversionSlot slot)
{
    /// <summary>The layer in 4 bits.</summary>
    /// <exception cref="ObjectDisposedException">The source is disposed.</exception>
    /// <exception cref="WeightFormatException">The layer cannot be converted, or its file has changed.</exception>
    public ConvertedLayer Get()
    {
        // Reading nothing asks whether the file is still there and what it was, also where the slot has the answer.
        foreach (WeightTensor input in inputs)
        {
            input.Bytes(0, 0);
        }

        return slot.Get(this);
    }

    /// <summary>Converts, for the slot.</summary>
    public ConvertedLayer Convert()
    {
        Hold();
        try
        {
            ConvertedLayer converted = convert();
            layer.Error = converted.Error;
            return converted;
        }
        finally
        {
            Release();
        }
    }

    /// <summary>Keeps the memory that the layer is made from.</summary>
    public void Hold()
    {
        int held = 0;
        try
        {
            for (; held < inputs.Count; held++)
            {
                inputs[held].Hold();
            }
        }
        catch
        {
            while (--held >= 0)
            {
                inputs[held].Release();
            }

            throw;
        }
    }

    /// <summary>Ends a <see cref="Hold"/>.</summary>
    public void Release()
    {
        foreach (WeightTensor input in inputs)
        {
            input.Release();
        }
    }
}
