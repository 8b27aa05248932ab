using System.Runtime.InteropServices;
using Q4Gen.Kernels;
using Q4Gen.Loading;
using Q4Gen.Packing;

namespace Q4Gen.PackedFiles;

/// <summary>Writes the data of a packed file, one layer in memory at a time.</summary>
internal sealed unsafe class PackedFileWriter(
    FileStream file, IWeightSource source, IReadOnlyDictionary<string, WeightTensor> others, PackedPlan plan, IProgress<double>? progress, CancellationToken ct)
{
    private const int ChunkBytes = 1 << 20;

    private readonly SortedDictionary<string, byte[]> _hashes = new(StringComparer.Ordinal);
    private readonly bool _withHashes = plan.Tensors.Any(static tensor => tensor.Part == PackedPart.Hashes);
    private TensorHash? _hash;
    private PackedLayerPlan? _layer;
    private PackedWeights? _weights;
    private long _done;

    /// <summary>Writes all tensors in the plan's order.</summary>
    public void Write()
    {
        try
        {
            foreach (PackedTensor tensor in plan.Tensors)
            {
                ct.ThrowIfCancellationRequested();
                if (_withHashes && tensor.Part != PackedPart.Hashes)
                {
                    _hash = new TensorHash(tensor.Entry.Name, tensor.Entry.Type, tensor.Entry.Shape);
                }

                Write(tensor);
                if (_hash is not null)
                {
                    _hashes.Add(tensor.Entry.Name, _hash.Finish());
                    _hash.Dispose();
                    _hash = null;
                }
            }
        }
        finally
        {
            _hash?.Dispose();
            _weights?.Discard();
        }
    }

    private void Write(PackedTensor tensor)
    {
        long bytes = tensor.Entry.End - tensor.Entry.Begin;
        switch (tensor.Part)
        {
            case PackedPart.Shape:
                break;
            case PackedPart.Weight:
                Write(Weights(tensor).Words(0), bytes);
                break;
            case PackedPart.Scales:
                Write(Weights(tensor).Scales(0), bytes);
                break;
            case PackedPart.Offsets:
                Write(Weights(tensor).Offsets(0), bytes);
                break;
            case PackedPart.Bias:
                Write(Weights(tensor).Bias, bytes);
                break;
            case PackedPart.Order:
                var order = new int[tensor.Entry.Shape[0]];
                PanelPacker.CopyOrder(Weights(tensor), order);
                WriteChunk(MemoryMarshal.AsBytes(order.AsSpan()));
                break;
            case PackedPart.Padding:
                WriteChunk(new byte[bytes]);
                break;
            case PackedPart.Other:
                WeightTensor other = others[tensor.Entry.Name];
                for (long offset = 0; offset < bytes; offset += ChunkBytes)
                {
                    WriteChunk(other.Bytes(offset, (int)Math.Min(ChunkBytes, bytes - offset)));
                }

                break;
            case PackedPart.Hashes:
                foreach (byte[] hash in _hashes.Values)
                {
                    WriteChunk(hash);
                }

                break;
        }
    }

    /// <summary>The layer that a tensor belongs to; the one before it goes first.</summary>
    private PackedWeights Weights(PackedTensor tensor)
    {
        if (_weights is null || _layer != tensor.Layer)
        {
            _weights?.Discard();
            _weights = null;
            _layer = tensor.Layer!;
            _weights = LayerLoader.Load(source, _layer.Prefix, group: null);
            if (PackedChecks.FindFlaw(_weights) is { } flaw)
            {
                _weights.Discard();
                _weights = null;
                throw new WeightFormatException($"{source.Description}: layer {Safetensors.SafetensorsText.Quote(_layer.Prefix)}: {flaw}; {PackedFormat.PackAgain}.");
            }
        }

        return _weights;
    }

    private void Write(void* data, long bytes)
    {
        for (long offset = 0; offset < bytes; offset += ChunkBytes)
        {
            WriteChunk(new ReadOnlySpan<byte>((byte*)data + offset, (int)Math.Min(ChunkBytes, bytes - offset)));
        }
    }

    private void WriteChunk(ReadOnlySpan<byte> bytes)
    {
        ct.ThrowIfCancellationRequested();
        file.Write(bytes);
        _hash?.Append(bytes);
        _done += bytes.Length;
        progress?.Report((double)_done / plan.ByteLength);
    }
}
