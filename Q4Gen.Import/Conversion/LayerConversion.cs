namespace Q4Gen.Import.Conversion;

/// <summary>A layer that is converted when one of its tensors is read.</summary>
internal sealed class LayerConversion(
    ImportedLayer layer, IReadOnlyList<WeightTensor> inputs, Func<ConvertedLayer> convert, ConversionSlot slot)
{
    private readonly Lock _lock = new();
    private int _holds;
    private ConvertedLayer? _held;

    /// <summary>The layer in 4 bits.</summary>
    /// <exception cref="ObjectDisposedException">The source is disposed.</exception>
    /// <exception cref="WeightFormatException">The layer cannot be converted, or its file has changed.</exception>
    public ConvertedLayer Get()
    {
        CheckUnchanged();
        lock (_lock)
        {
            if (_held is not null)
            {
                return _held;
            }

            ConvertedLayer converted = slot.Get(this);
            if (_holds != 0)
            {
                // While it is held, by a loader that goes through its rows, other layers in the slot do not drive it out:
                // two that load at once would otherwise convert each other's all over again.
                _held = converted;
            }

            return converted;
        }
    }

    /// <summary>Throws where the source is disposed or its file is not what it was.</summary>
    public void CheckUnchanged()
    {
        // Reading nothing asks.
        foreach (WeightTensor input in inputs)
        {
            input.Bytes(0, 0);
        }
    }

    /// <summary>Converts, for the slot.</summary>
    public ConvertedLayer Convert()
    {
        HoldInputs();
        try
        {
            ConvertedLayer converted = convert();
            layer.Error = converted.Error;
            return converted;
        }
        finally
        {
            ReleaseInputs();
        }
    }

    /// <summary>Keeps the memory that the layer is made from, and the layer once it is made.</summary>
    public void Hold()
    {
        HoldInputs();
        lock (_lock)
        {
            _holds++;
        }
    }

    /// <summary>Ends a <see cref="Hold"/>.</summary>
    public void Release()
    {
        lock (_lock)
        {
            if (--_holds == 0)
            {
                _held = null;
            }
        }

        ReleaseInputs();
    }

    private void HoldInputs()
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

    private void ReleaseInputs()
    {
        foreach (WeightTensor input in inputs)
        {
            input.Release();
        }
    }
}
