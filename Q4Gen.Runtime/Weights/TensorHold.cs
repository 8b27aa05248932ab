namespace Q4Gen;

/// <summary>Keeps the memory of some tensors until it is disposed, even where their source is in between.</summary>
internal sealed class TensorHold : IDisposable
{
    private WeightTensor[] _held;

    /// <summary>Holds all of them, or none.</summary>
    /// <exception cref="ObjectDisposedException">A source is disposed.</exception>
    public TensorHold(params WeightTensor[] tensors)
    {
        _held = [];
        int held = 0;
        try
        {
            for (; held < tensors.Length; held++)
            {
                tensors[held].Hold();
            }
        }
        catch
        {
            while (held > 0)
            {
                tensors[--held].Release();
            }

            throw;
        }

        _held = tensors;
    }

    /// <summary>Lets go; a second time nothing.</summary>
    public void Dispose()
    {
        foreach (WeightTensor tensor in Interlocked.Exchange(ref _held, []))
        {
            tensor.Release();
        }
    }
}
