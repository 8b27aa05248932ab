namespace Q4Gen.Quantization;

/// <summary>Adds up finished work from many threads and reports shares of the total in rising order.</summary>
internal sealed class RisingProgress(IProgress<double>? progress, long total)
{
    private readonly Lock _lock = new();
    private long _done;

    /// <summary>Counts <paramref name="amount"/> more as done.</summary>
    public void Add(long amount)
    {
        if (progress is null)
        {
            return;
        }

        lock (_lock)
        {
            _done += amount;
            progress.Report((double)_done / total);
        }
    }
}
