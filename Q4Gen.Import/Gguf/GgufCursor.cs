using System.Buffers.Binary;
using System.Text;
using Q4Gen.Safetensors;

namespace Q4Gen.Import.Gguf;

/// <summary>
/// Reads a file's header from front to back. It does so through a small buffer, because a vocabulary is some hundred
/// thousand strings and each access to a mapped file asks first whether the file has changed.
/// </summary>
internal sealed class GgufCursor(TensorStorage storage, string description, long position)
{
    private const int BufferBytes = 1 << 16;

    private static readonly UTF8Encoding s_strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private byte[] _buffer = [];
    private long _bufferStart;

    /// <summary>Where the next byte is.</summary>
    public long Position { get; private set; } = position;

    private long Remaining => storage.Length - Position;

    /// <summary>A little-endian u32.</summary>
    public uint ReadUInt32(string what) => BinaryPrimitives.ReadUInt32LittleEndian(Take(sizeof(uint), what));

    /// <summary>A little-endian u64.</summary>
    public ulong ReadUInt64(string what) => BinaryPrimitives.ReadUInt64LittleEndian(Take(sizeof(ulong), what));

    /// <summary>A count of things of at least <paramref name="smallest"/> bytes each, which must still fit into the file.</summary>
    public long ReadCount(int smallest, string what)
    {
        ulong count = ReadUInt64(what);
        return count <= (ulong)(Remaining / smallest)
            ? (long)count
            : throw Broken($"{what} says {count}, but only {Remaining} bytes follow and each takes at least {smallest}");
    }

    /// <summary>The type of a value.</summary>
    public GgufValueType ReadValueType(string what)
    {
        uint number = ReadUInt32(what);
        return number <= (uint)GgufValueType.Float64
            ? (GgufValueType)number
            : throw Broken($"{what} has type {number}, but values have types 0 to {(uint)GgufValueType.Float64}");
    }

    /// <summary>A text's bytes.</summary>
    public byte[] ReadBytes(int longest, string what) => Take(ReadLength(longest, what), what).ToArray();

    /// <summary>A text.</summary>
    public string ReadText(int longest, string what)
    {
        ReadOnlySpan<byte> bytes = Take(ReadLength(longest, what), what);
        try
        {
            return s_strict.GetString(bytes);
        }
        catch (DecoderFallbackException e)
        {
            throw new WeightFormatException($"{description}: {what} is not valid UTF-8; {GgufTypes.FetchAgain}.", e);
        }
    }

    /// <summary>Passes over a text.</summary>
    public void SkipText(string what) => Skip(ReadCount(1, what));

    /// <summary>Passes over bytes that are known to be there.</summary>
    public void Skip(long count) => Position += count;

    /// <summary>The next bytes, valid until the next call.</summary>
    public ReadOnlySpan<byte> Take(int count, string what)
    {
        if (count > Remaining)
        {
            throw Broken($"the file ends inside {what}, which starts at byte {Position} and takes {count} bytes");
        }

        if (Position < _bufferStart || Position + count > _bufferStart + _buffer.Length)
        {
            int length = (int)Math.Min(Math.Max(count, BufferBytes), Remaining);
            if (_buffer.Length != length)
            {
                _buffer = new byte[length];
            }

            storage.Read(Position, _buffer).CopyTo(_buffer);
            _bufferStart = Position;
        }

        ReadOnlySpan<byte> taken = _buffer.AsSpan((int)(Position - _bufferStart), count);
        Position += count;
        return taken;
    }

    /// <summary>A rule is broken.</summary>
    public WeightFormatException Broken(string rule) => new($"{description}: {rule}; {GgufTypes.FetchAgain}.");

    /// <summary>A text from the file for a message.</summary>
    public static string Quote(string text) => SafetensorsText.Quote(text);

    private int ReadLength(int longest, string what)
    {
        long length = ReadCount(1, what);
        return length <= longest
            ? (int)length
            : throw Broken($"{what} has {length} bytes, but at most {longest} are taken");
    }
}
