namespace Q4Gen.Kernels;

/// <summary>
/// The copies of one layer's weights in the memory of other devices, at most one a device. Looking one up takes no lock.
/// </summary>
internal sealed class DeviceCopies : IDisposable
{
    private readonly Lock _lock = new();
    private volatile Entry[] _entries = [];
    private bool _isDisposed;

    /// <summary>The copy on a device, or null where there is none.</summary>
    public IDisposable? Find(object device)
    {
        foreach (Entry entry in _entries)
        {
            if (ReferenceEquals(entry.Device, device))
            {
                return entry.Copy;
            }
        }

        return null;
    }

    /// <summary>Makes a copy unless the device has one; where that throws, everything stays as it was.</summary>
    /// <exception cref="ObjectDisposedException">The weights are gone.</exception>
    public void Add(object device, Func<IDisposable> create)
    {
        // Held while copying: of two callers the second waits for the first one's copy.
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, typeof(Linear4Bit));
            if (Find(device) is null)
            {
                _entries = [.. _entries, new Entry(device, create())];
            }
        }
    }

    /// <summary>Frees the copy on a device, if there is one.</summary>
    public void Remove(object device)
    {
        IDisposable? copy;
        lock (_lock)
        {
            copy = Find(device);
            _entries = [.. _entries.Where(entry => !ReferenceEquals(entry.Device, device))];
        }

        copy?.Dispose();
    }

    /// <summary>Frees all copies, for good.</summary>
    public void Dispose()
    {
        Entry[] entries;
        lock (_lock)
        {
            _isDisposed = true;
            entries = _entries;
            _entries = [];
        }

        foreach (Entry entry in entries)
        {
            entry.Copy.Dispose();
        }
    }

    /// <summary><c>, also on CUDA device 0 (NVIDIA H100)</c>, or nothing.</summary>
    public override string ToString()
    {
        Entry[] entries = _entries;
        return entries.Length == 0 ? "" : ", also on " + string.Join(" and ", entries.Select(static entry => entry.Device));
    }

    private sealed record Entry(object Device, IDisposable Copy);
}
