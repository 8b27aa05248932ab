using System.Buffers.Binary;
using Q4Gen.Import.Gguf;

namespace Q4Gen.Tests.Import;

/// <summary>
/// One weight of encoded blocks in float64, written from the description of the formats and nothing else: each bit is
/// fetched where the description says it is.
/// </summary>
internal static class GgufDecoder
{
    public static double[] DecodeAll(GgufTensorType type, byte[] data, int count) =>
        [.. Enumerable.Range(0, count).Select(i => Weight(type, data, i))];

    public static double Weight(GgufTensorType type, byte[] data, int index)
    {
        switch (type)
        {
            case GgufTensorType.F32:
                return BinaryPrimitives.ReadSingleLittleEndian(data.AsSpan(index * 4));
            case GgufTensorType.F16:
                return Half(data, index * 2);
            case GgufTensorType.BF16:
                return BitConverter.Int32BitsToSingle(BinaryPrimitives.ReadUInt16LittleEndian(data.AsSpan(index * 2)) << 16);
            case GgufTensorType.Q4_0:
            {
                // f16 d, 16 bytes.
                int at = index / 32 * 18;
                return Half(data, at) * (Nibble(data, at + 2, index % 32) - 8);
            }

            case GgufTensorType.Q4_1:
            {
                // f16 d, f16 m, 16 bytes.
                int at = index / 32 * 20;
                return Half(data, at) * Nibble(data, at + 4, index % 32) + Half(data, at + 2);
            }

            case GgufTensorType.Q5_0:
            {
                // f16 d, 32 high bits, 16 bytes.
                int at = index / 32 * 22;
                return Half(data, at) * (Nibble(data, at + 6, index % 32) + 16 * Bit(data, at + 2, index % 32) - 16);
            }

            case GgufTensorType.Q5_1:
            {
                // f16 d, f16 m, 32 high bits, 16 bytes.
                int at = index / 32 * 24;
                return Half(data, at) * (Nibble(data, at + 8, index % 32) + 16 * Bit(data, at + 4, index % 32)) + Half(data, at + 2);
            }

            case GgufTensorType.Q8_0:
            {
                // f16 d, 32 signed bytes.
                int at = index / 32 * 34;
                int code = data[at + 2 + index % 32];
                return Half(data, at) * (code > 127 ? code - 256 : code);
            }

            case GgufTensorType.Q4_K:
            {
                // f16 d, f16 dmin, 12 bytes of scales, 4 × 32 bytes: low nibbles are one sub-block, high ones the next.
                int at = index / 256 * 144, inBlock = index % 256, sub = inBlock / 32;
                int pair = data[at + 16 + sub / 2 * 32 + inBlock % 32];
                int code = sub % 2 == 0 ? pair % 16 : pair / 16;
                return Half(data, at) * SixBits(data, at + 4, sub, 0) * code - Half(data, at + 2) * SixBits(data, at + 4, sub, 1);
            }

            case GgufTensorType.Q5_K:
            {
                // As Q4_K with 32 bytes of fifth bits before the nibbles: bit s of byte l is that of element l of sub-block s.
                int at = index / 256 * 176, inBlock = index % 256, sub = inBlock / 32;
                int pair = data[at + 48 + sub / 2 * 32 + inBlock % 32];
                int code = (sub % 2 == 0 ? pair % 16 : pair / 16) + (data[at + 16 + inBlock % 32] / (1 << sub) % 2 == 1 ? 16 : 0);
                return Half(data, at) * SixBits(data, at + 4, sub, 0) * code - Half(data, at + 2) * SixBits(data, at + 4, sub, 1);
            }

            case GgufTensorType.Q6_K:
            {
                // 128 bytes of low nibbles, 64 of high pairs, 16 signed scales, f16 d; everything in two halves of 128.
                int at = index / 256 * 210, inBlock = index % 256, half = inBlock / 128, inHalf = inBlock % 128;
                int low = data[at + half * 64 + inHalf % 64];
                low = inHalf < 64 ? low % 16 : low / 16;
                int high = data[at + 128 + half * 32 + inHalf % 32] / (int)Math.Pow(4, inHalf / 32) % 4;
                int scale = data[at + 192 + inBlock / 16];
                return Half(data, at + 208) * (scale > 127 ? scale - 256 : scale) * (low + 16 * high - 32);
            }

            default:
                throw new ArgumentOutOfRangeException(nameof(type));
        }
    }

    private static double Half(byte[] data, int at) => (double)BitConverter.UInt16BitsToHalf((ushort)(data[at] + 256 * data[at + 1]));

    private static int Nibble(byte[] data, int at, int element) => element < 16 ? data[at + element] % 16 : data[at + element - 16] / 16;

    private static int Bit(byte[] data, int at, int element) => data[at + element / 8] / (1 << element % 8) % 2;

    /// <summary>
    /// Of sub-blocks 0–3: scale in the low six bits of bytes 0–3, minimum in those of bytes 4–7. Of 4–7: four bits in the
    /// low (scale) and high (minimum) nibbles of bytes 8–11, and two in the high bits of bytes 0–3 (scale) and 4–7 (minimum).
    /// </summary>
    private static int SixBits(byte[] data, int at, int sub, int kind)
    {
        int shared = data[at + sub % 4 + 4 * kind];
        if (sub < 4)
        {
            return shared % 64;
        }

        int both = data[at + 8 + sub % 4];
        return (kind == 0 ? both % 16 : both / 16) + shared / 64 * 16;
    }
}
