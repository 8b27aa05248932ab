using System.Buffers.Binary;

namespace Q4Gen.Import.Gguf;

/// <summary>
/// Blocks of weights as float32, as ggml's reference makes them. Source of the layouts: ggml-common.h and the
/// description of k-quants of the ggml project.
/// </summary>
internal static class GgufBlocks
{
    private const int Small = 32;
    private const int SubBlocks = 8;

    /// <summary>Decodes whole blocks.</summary>
    public static void Decode(GgufTensorType type, ReadOnlySpan<byte> bytes, Span<float> weights)
    {
        (int elements, int size) = GgufTypes.Block(type);
        for (; !weights.IsEmpty; weights = weights[elements..], bytes = bytes[size..])
        {
            ReadOnlySpan<byte> block = bytes[..size];
            Span<float> to = weights[..elements];
            switch (type)
            {
                case GgufTensorType.Q4_0:
                    Decode4Bit(block[2..], ReadHalf(block), -8 * ReadHalf(block), to);
                    break;
                case GgufTensorType.Q4_1:
                    Decode4Bit(block[4..], ReadHalf(block), ReadHalf(block[2..]), to);
                    break;
                case GgufTensorType.Q5_0:
                    Decode5Bit(block[6..], BinaryPrimitives.ReadUInt32LittleEndian(block[2..]), ReadHalf(block), -16 * ReadHalf(block), to);
                    break;
                case GgufTensorType.Q5_1:
                    Decode5Bit(block[8..], BinaryPrimitives.ReadUInt32LittleEndian(block[4..]), ReadHalf(block), ReadHalf(block[2..]), to);
                    break;
                case GgufTensorType.Q8_0:
                    Decode8Bit(block[2..], ReadHalf(block), to);
                    break;
                case GgufTensorType.Q4_K:
                    DecodeK(block, block[16..], default, to);
                    break;
                case GgufTensorType.Q5_K:
                    DecodeK(block, block[48..], block[16..48], to);
                    break;
                case GgufTensorType.Q6_K:
                    Decode6Bit(block, to);
                    break;
                default:
                    throw new ArgumentOutOfRangeException(nameof(type), type, "Not a type of blocks.");
            }
        }
    }

    /// <summary>
    /// The 6-bit scale and minimum of a sub-block of Q4_K and Q5_K: of the first four, they are the low bits of bytes 0–3
    /// and 4–7; of the last four, their low halves are bytes 8–11 and their upper two bits the high ones of bytes 0–7.
    /// </summary>
    public static (int Scale, int Minimum) ScaleAndMinimum(ReadOnlySpan<byte> packed, int subBlock) => subBlock < 4
        ? (packed[subBlock] & 63, packed[subBlock + 4] & 63)
        : ((packed[subBlock + 4] & 15) | packed[subBlock - 4] >> 6 << 4, packed[subBlock + 4] >> 4 | packed[subBlock] >> 6 << 4);

    /// <summary>A little-endian F16.</summary>
    public static float ReadHalf(ReadOnlySpan<byte> bytes) => (float)BinaryPrimitives.ReadHalfLittleEndian(bytes);

    /// <summary>Byte j holds element j in its low nibble and j + 16 in its high one. All products and sums are exact but the last.</summary>
    private static void Decode4Bit(ReadOnlySpan<byte> nibbles, float scale, float offset, Span<float> to)
    {
        for (int j = 0; j < Small / 2; j++)
        {
            to[j] = (nibbles[j] & 15) * scale + offset;
            to[j + Small / 2] = (nibbles[j] >> 4) * scale + offset;
        }
    }

    /// <summary>As with four bits; the fifth of element j is bit j of <paramref name="high"/>.</summary>
    private static void Decode5Bit(ReadOnlySpan<byte> nibbles, uint high, float scale, float offset, Span<float> to)
    {
        for (int j = 0; j < Small / 2; j++)
        {
            to[j] = ((uint)(nibbles[j] & 15) | (high >> j & 1) << 4) * scale + offset;
            to[j + Small / 2] = ((uint)(nibbles[j] >> 4) | (high >> (j + Small / 2) & 1) << 4) * scale + offset;
        }
    }

    private static void Decode8Bit(ReadOnlySpan<byte> codes, float scale, Span<float> to)
    {
        for (int j = 0; j < Small; j++)
        {
            to[j] = (sbyte)codes[j] * scale;
        }
    }

    /// <summary>
    /// Two sub-blocks share 32 bytes: the first has their low nibbles, the second the high ones. With five bits, bit s of
    /// <c>high[j]</c> is the fifth of element j of sub-block s.
    /// </summary>
    private static void DecodeK(ReadOnlySpan<byte> block, ReadOnlySpan<byte> nibbles, ReadOnlySpan<byte> high, Span<float> to)
    {
        float d = ReadHalf(block);
        float minimum = ReadHalf(block[2..]);
        for (int s = 0; s < SubBlocks; s++)
        {
            (int scaleCode, int minimumCode) = ScaleAndMinimum(block[4..16], s);
            float scale = d * scaleCode;
            float offset = minimum * minimumCode;
            ReadOnlySpan<byte> shared = nibbles.Slice(s / 2 * Small, Small);
            for (int j = 0; j < Small; j++)
            {
                int code = shared[j] >> s % 2 * 4 & 15;
                if (!high.IsEmpty)
                {
                    code |= (high[j] >> s & 1) << 4;
                }

                to[s * Small + j] = scale * code - offset;
            }
        }
    }

    /// <summary>
    /// Two halves of 128. In each, byte j of 64 holds the low nibbles of elements j and j + 64, and byte j of 32 two upper
    /// bits each of elements j, j + 32, j + 64 and j + 96. A signed scale goes with 16 elements.
    /// </summary>
    private static void Decode6Bit(ReadOnlySpan<byte> block, Span<float> to)
    {
        float d = ReadHalf(block[208..]);
        for (int i = 0; i < to.Length; i++)
        {
            int half = i / 128, quarter = i % 128 / 32, j = i % 32;
            int low = block[half * 64 + quarter % 2 * 32 + j] >> quarter / 2 * 4 & 15;
            int high = block[128 + half * 32 + j] >> quarter * 2 & 3;
            to[i] = d * (sbyte)block[192 + i / 16] * ((low | high << 4) - 32);
        }
    }
}
