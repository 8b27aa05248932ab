using System.Buffers;
using System.Runtime.InteropServices;
using Q4Gen.Import.Conversion;

namespace Q4Gen.Import.Gguf;

/// <summary>Blocks as float32, decoded as far as they are read.</summary>
internal sealed class GgufDecodedStorage(WeightTensor blocks, GgufTensorType type, long elements)
    : DerivedStorage(blocks, elements * sizeof(float))
{
    // The largest block in float32; what is decoded at a time is a few of them.
    private const int ChunkBlocks = 16;

    /// <inheritdoc/>
    protected override void Make(long offset, Span<byte> bytes)
    {
        (int blockElements, int blockBytes) = GgufTypes.Block(type);
        int decodedBytes = blockElements * sizeof(float);
        byte[] encoded = ArrayPool<byte>.Shared.Rent(ChunkBlocks * blockBytes);
        float[] decoded = ArrayPool<float>.Shared.Rent(ChunkBlocks * blockElements);
        while (!bytes.IsEmpty)
        {
            (long first, long skipped) = Math.DivRem(offset, decodedBytes);
            int count = (int)Math.Min(ChunkBlocks, (skipped + bytes.Length + decodedBytes - 1) / decodedBytes);
            Span<float> weights = decoded.AsSpan(0, count * blockElements);
            GgufBlocks.Decode(type, Input.Read(first * blockBytes, encoded.AsSpan(0, count * blockBytes)), weights);
            Span<byte> made = MemoryMarshal.AsBytes(weights)[(int)skipped..];
            made = made[..Math.Min(made.Length, bytes.Length)];
            made.CopyTo(bytes);
            bytes = bytes[made.Length..];
            offset += made.Length;
        }

        ArrayPool<byte>.Shared.Return(encoded);
        ArrayPool<float>.Shared.Return(decoded);
    }
}
