using System.Runtime.InteropServices;
using Q4Gen.Import;
using Q4Gen.Loading;

namespace Q4Gen.Tool.Inspect;

/// <summary>How large the scales of all layers in 4 bits are, by powers of two.</summary>
internal sealed class ScaleHistogram
{
    // F16 reaches from 2^-24, the smallest subnormal, to below 2^16.
    private const int LowestExponent = -24;
    private const int HighestExponent = 15;
    private const int ChunkBytes = 1 << 20;

    private readonly long[] _counts = new long[HighestExponent - LowestExponent + 1];

    /// <summary>Scales in all.</summary>
    public long Total { get; private set; }

    /// <summary>Scales that are zero: groups whose weights are all zero, or their offset.</summary>
    public long Zero { get; private set; }

    /// <summary>Scales below zero, as signed-max quantising makes about half of them.</summary>
    public long Negative { get; private set; }

    /// <summary>Scales that are infinite or no number: no loader takes such a layer.</summary>
    public long NotFinite { get; private set; }

    /// <summary>Counts by exponent e, of scales with <c>2^e ≤ |scale| &lt; 2^(e+1)</c>, from the first to the last that is not 0.</summary>
    public IReadOnlyList<(int Exponent, long Count)> Bins
    {
        get
        {
            int first = Array.FindIndex(_counts, count => count != 0);
            int last = Array.FindLastIndex(_counts, count => count != 0);
            return first < 0 ? [] : [.. Enumerable.Range(first, last - first + 1).Select(i => (i + LowestExponent, _counts[i]))];
        }
    }

    /// <summary>Counts the scales of all layers in 4 bits; an importer converts them for it.</summary>
    public static ScaleHistogram Of(ModelFile model, IProgress<double> progress, CancellationToken ct)
    {
        var histogram = new ScaleHistogram();
        WeightTensor[] scales = [.. model.Layers.Select(layer => Find(model, layer)).OfType<WeightTensor>()];
        long total = Math.Max(1, scales.Sum(tensor => tensor.ByteLength)), done = 0;
        foreach (WeightTensor tensor in scales)
        {
            for (long offset = 0; offset < tensor.ByteLength; offset += ChunkBytes)
            {
                ct.ThrowIfCancellationRequested();
                int length = (int)Math.Min(ChunkBytes, tensor.ByteLength - offset);
                histogram.Add(MemoryMarshal.Cast<byte, Half>(tensor.Bytes(offset, length)));
                done += length;
                progress.Report((double)done / total);
            }
        }

        return histogram;
    }

    private static WeightTensor? Find(ModelFile model, LinearLayer layer) =>
        model.Source.TryGet(LayerTensors.Join(layer.Name, LayerTensors.ScalesSuffix), out WeightTensor? tensor) && tensor.Type == TensorType.F16 ? tensor : null;

    private void Add(ReadOnlySpan<Half> scales)
    {
        Total += scales.Length;
        foreach (Half scale in scales)
        {
            if (!Half.IsFinite(scale))
            {
                NotFinite++;
            }
            else if (scale == Half.Zero)
            {
                Zero++;
            }
            else
            {
                Negative += Half.IsNegative(scale) ? 1 : 0;
                _counts[Math.ILogB((double)scale) - LowestExponent]++;
            }
        }
    }
}
