using System.Text;
using Q4Gen.Safetensors;

namespace Q4Gen.Import.Onnx;

/// <summary>Wire types of protocol buffers.</summary>
internal enum ProtoWire
{
    /// <summary>Seven bits a byte, the lowest first.</summary>
    Varint = 0,

    /// <summary>Eight bytes.</summary>
    Fixed64 = 1,

    /// <summary>A varint length and as many bytes: texts, messages, packed lists.</summary>
    Bytes = 2,

    /// <summary>Four bytes.</summary>
    Fixed32 = 5,
}

/// <summary>Walks the fields of a message in a file, without reading what is passed over.</summary>
/// <remarks>Source: the encoding page of the protocol buffers documentation.</remarks>
internal sealed class ProtoCursor(TensorStorage storage, string description, long start, long end, byte[] buffer)
{
    /// <summary>Bytes of the buffer that cursors of one file share.</summary>
    public const int BufferBytes = 1 << 12;

    private const string FetchAgain = "the file is damaged or is no ONNX model; fetch or write it again";
    private const int LongestVarint = 10;

    private static readonly UTF8Encoding s_strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private long _position = start;
    private long _bufferStart = -1;
    private int _buffered;

    /// <summary>The number of the field that <see cref="Next"/> came to.</summary>
    public int Field { get; private set; }

    /// <summary>Its wire type.</summary>
    public ProtoWire Wire { get; private set; }

    /// <summary>The file.</summary>
    public TensorStorage Storage => storage;

    /// <summary>Goes to the next field; false at the end of the message.</summary>
    public bool Next()
    {
        if (_position == end)
        {
            return false;
        }

        ulong key = ReadRawVarint();
        if (key >> 3 is 0 or > int.MaxValue || (key & 7) is not (0 or 1 or 2 or 5))
        {
            throw Broken($"has a field {key >> 3} of wire type {key & 7} before byte {_position}");
        }

        Field = (int)(key >> 3);
        Wire = (ProtoWire)(key & 7);
        return true;
    }

    /// <summary>The field's integer.</summary>
    public long ReadVarint()
    {
        Expect(ProtoWire.Varint);
        return (long)ReadRawVarint();
    }

    /// <summary>Where the field's bytes are.</summary>
    public (long Start, long Length) ReadRange()
    {
        Expect(ProtoWire.Bytes);
        ulong length = ReadRawVarint();
        if (length > (ulong)(end - _position))
        {
            throw Broken($"has field {Field} of {length} bytes at byte {_position}, but only {end - _position} are left in its message");
        }

        (long, long) range = (_position, (long)length);
        _position += (long)length;
        return range;
    }

    /// <summary>The field's message.</summary>
    public ProtoCursor ReadMessage()
    {
        (long start, long length) = ReadRange();
        return new ProtoCursor(storage, description, start, start + length, new byte[(int)Math.Min(length, BufferBytes)]);
    }

    /// <summary>The field's text.</summary>
    public string ReadText(int longest)
    {
        (long start, long length) = ReadRange();
        if (length > longest)
        {
            throw Broken($"has a name of {length} bytes at byte {start}, but at most {longest} are taken");
        }

        try
        {
            return s_strict.GetString(storage.Read(start, new byte[length]));
        }
        catch (DecoderFallbackException e)
        {
            throw new WeightFormatException($"{description}: the text at byte {start} is not valid UTF-8; {FetchAgain}.", e);
        }
    }

    /// <summary>The field's integers: one, or a packed list.</summary>
    public void ReadVarints(List<long> values, int most)
    {
        if (Wire == ProtoWire.Varint)
        {
            values.Add(ReadVarint());
        }
        else
        {
            long last = ReadRange().Length;
            long until = _position;
            _position -= last;
            while (_position < until && values.Count <= most)
            {
                values.Add((long)ReadRawVarint());
            }

            if (_position > until)
            {
                throw Broken($"has a list that ends inside a number at byte {until}");
            }

            _position = until;
        }

        if (values.Count > most)
        {
            throw Broken($"has more than {most} numbers in a list at byte {_position}");
        }
    }

    /// <summary>Passes over the field.</summary>
    public void Skip()
    {
        switch (Wire)
        {
            case ProtoWire.Varint:
                ReadRawVarint();
                break;
            case ProtoWire.Bytes:
                ReadRange();
                break;
            default:
                int size = Wire == ProtoWire.Fixed64 ? sizeof(ulong) : sizeof(uint);
                _position = end - _position >= size ? _position + size : throw Broken($"ends inside field {Field} at byte {end}");
                break;
        }
    }

    /// <summary>A rule is broken.</summary>
    public WeightFormatException Broken(string rule) => new($"{description}: {rule}; {FetchAgain}.");

    /// <summary>A text from the file for a message.</summary>
    public static string Quote(string text) => SafetensorsText.Quote(text);

    private void Expect(ProtoWire wire)
    {
        if (Wire != wire)
        {
            throw Broken($"has field {Field} as {Wire} before byte {_position}, but {wire} is expected");
        }
    }

    private ulong ReadRawVarint()
    {
        ulong value = 0;
        for (int i = 0; i < LongestVarint; i++)
        {
            byte part = ReadByte();
            value |= (ulong)(part & 0x7f) << (7 * i);
            if (part < 0x80)
            {
                return value;
            }
        }

        throw Broken($"has a number of more than {LongestVarint} bytes at byte {_position - LongestVarint}");
    }

    private byte ReadByte()
    {
        if (_position >= end)
        {
            throw Broken($"ends inside a number at byte {end}");
        }

        if (_position < _bufferStart || _position >= _bufferStart + _buffered)
        {
            _buffered = (int)Math.Min(buffer.Length, end - _position);
            _bufferStart = _position;
            storage.Read(_position, buffer.AsSpan(0, _buffered)).CopyTo(buffer);
        }

        return buffer[_position++ - _bufferStart];
    }
}
