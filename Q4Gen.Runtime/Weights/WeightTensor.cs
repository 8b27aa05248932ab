using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace Q4Gen;

/// <summary>
/// A tensor as a weight source hands it out: element type, shape and raw little-endian bytes, which may lie in managed
/// memory or in a mapped file and are never copied here.
/// </summary>
public sealed class WeightTensor
{
    private readonly TensorStorage _storage;
    private readonly long _start;

    /// <summary>A tensor over managed memory.</summary>
    /// <param name="type">Element type.</param>
    /// <param name="shape">Sizes, outermost first; empty for a scalar.</param>
    /// <param name="data">Exactly <c>product(shape) × element size</c> bytes.</param>
    /// <exception cref="ArgumentException">The shape has a negative size, or its bytes are not those of <paramref name="data"/>.</exception>
    public WeightTensor(TensorType type, ReadOnlySpan<long> shape, ReadOnlyMemory<byte> data)
        : this(type, shape.ToArray(), new ManagedStorage(data, "the tensor's memory"), 0, data.Length)
    {
        if (!TryCountBytes(type, shape, out long expected))
        {
            throw new ArgumentException(
                $"No tensor has shape {DescribeShape(shape)}: sizes are not negative and their product stays below 2^63 bytes.", nameof(shape));
        }

        if (expected != data.Length)
        {
            throw new ArgumentException(
                $"A {type} tensor of shape {DescribeShape(shape)} takes {expected} bytes, but {data.Length} were given.", nameof(data));
        }
    }

    /// <summary>A tensor of <paramref name="length"/> bytes, already checked, at <paramref name="start"/> of a source's memory.</summary>
    internal WeightTensor(TensorType type, long[] shape, TensorStorage storage, long start, long length)
    {
        Type = type;
        Shape = shape;
        ByteLength = length;
        _storage = storage;
        _start = start;
    }

    /// <summary>Element type.</summary>
    public TensorType Type { get; }

    /// <summary>Sizes, outermost first.</summary>
    public IReadOnlyList<long> Shape { get; }

    /// <summary>Size of the data in bytes.</summary>
    public long ByteLength { get; }

    /// <summary>Number of elements.</summary>
    public long ElementCount => ByteLength / ElementSize(Type);

    /// <summary>A part of the raw little-endian bytes, valid until the source is disposed.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The part is not inside the tensor.</exception>
    /// <exception cref="ObjectDisposedException">The source is disposed.</exception>
    /// <exception cref="WeightFormatException">The file that the tensor lies in changed while in use.</exception>
    public ReadOnlySpan<byte> Bytes(long offset, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, ByteLength - length);
        return _storage.Slice(_start + offset, length);
    }

    /// <summary>An F32 tensor that copies <paramref name="values"/>.</summary>
    public static WeightTensor FromSingle(ReadOnlySpan<float> values, params ReadOnlySpan<long> shape) =>
        new(TensorType.F32, shape, MemoryMarshal.AsBytes(values).ToArray());

    /// <summary>An F16 tensor that copies <paramref name="values"/>.</summary>
    public static WeightTensor FromHalf(ReadOnlySpan<Half> values, params ReadOnlySpan<long> shape) =>
        new(TensorType.F16, shape, MemoryMarshal.AsBytes(values).ToArray());

    /// <summary>An I32 tensor that copies <paramref name="values"/>.</summary>
    public static WeightTensor FromInt32(ReadOnlySpan<int> values, params ReadOnlySpan<long> shape) =>
        new(TensorType.I32, shape, MemoryMarshal.AsBytes(values).ToArray());

    /// <summary>A U8 tensor that copies <paramref name="values"/>.</summary>
    public static WeightTensor FromByte(ReadOnlySpan<byte> values, params ReadOnlySpan<long> shape) =>
        new(TensorType.U8, shape, values.ToArray());

    /// <summary>Elements <c>offset … offset + destination.Length − 1</c> as float32; F32, F16 and BF16 tensors only.</summary>
    /// <exception cref="NotSupportedException">The tensor has another element type.</exception>
    public void ReadSingle(long offset, Span<float> destination)
    {
        int size = ElementSize(Type);
        ReadOnlySpan<byte> bytes = Bytes(checked(offset * size), checked(destination.Length * size));
        switch (Type)
        {
            case TensorType.F32:
                bytes.CopyTo(MemoryMarshal.AsBytes(destination));
                break;
            case TensorType.F16:
                TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(bytes), destination);
                break;
            case TensorType.BF16:
                ReadOnlySpan<ushort> upper = MemoryMarshal.Cast<byte, ushort>(bytes);
                for (int i = 0; i < upper.Length; i++)
                {
                    destination[i] = BitConverter.UInt32BitsToSingle((uint)upper[i] << 16);
                }

                break;
            default:
                throw new NotSupportedException($"A {Type} tensor cannot be read as float32; F32, F16 and BF16 can.");
        }
    }

    /// <summary>All elements as float32; F32, F16 and BF16 tensors only.</summary>
    /// <exception cref="NotSupportedException">The tensor has another element type.</exception>
    public float[] ToSingleArray()
    {
        var values = new float[checked((int)ElementCount)];
        ReadSingle(0, values);
        return values;
    }

    /// <summary><c>F16 [11008, 32]</c>.</summary>
    public override string ToString() => $"{Type} {DescribeShape(Shape.ToArray())}";

    /// <summary>Bytes an element of <paramref name="type"/> takes.</summary>
    public static int ElementSize(TensorType type) => type switch
    {
        TensorType.F64 or TensorType.I64 or TensorType.U64 => 8,
        TensorType.F32 or TensorType.I32 or TensorType.U32 => 4,
        TensorType.F16 or TensorType.BF16 or TensorType.I16 or TensorType.U16 => 2,
        TensorType.U8 or TensorType.I8 or TensorType.Bool or TensorType.F8E4M3 or TensorType.F8E5M2 => 1,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Not a tensor type."),
    };

    /// <summary>Bytes from <paramref name="offset"/> on that are used once, in <paramref name="buffer"/> or where they lie in memory.</summary>
    /// <exception cref="ObjectDisposedException">The source is disposed.</exception>
    /// <exception cref="WeightFormatException">The file that the tensor lies in changed while in use.</exception>
    internal ReadOnlySpan<byte> Read(long offset, Span<byte> buffer)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, ByteLength - buffer.Length);
        return _storage.Read(_start + offset, buffer);
    }

    /// <summary>Where the tensor lies for as long as it is held; 0 where it has no lasting address.</summary>
    internal nint Address() => _storage.Address(_start);

    /// <summary>Whether it lies in the same file or block of memory as another.</summary>
    internal bool IsBeside(WeightTensor other) => ReferenceEquals(_storage, other._storage);

    /// <summary>The first elements as a tensor of another shape, in the same memory.</summary>
    internal WeightTensor Head(params long[] shape) =>
        TryCountBytes(Type, shape, out long bytes) && bytes <= ByteLength
            ? new WeightTensor(Type, shape, _storage, _start, bytes)
            : throw new ArgumentException($"{this} has fewer elements than {DescribeShape(shape)}.", nameof(shape));

    /// <summary>Keeps the tensor's memory until <see cref="Release"/>, even where its source is disposed in between.</summary>
    /// <exception cref="ObjectDisposedException">The source is disposed.</exception>
    internal void Hold() => _storage.Hold();

    /// <summary>Ends a <see cref="Hold"/>.</summary>
    internal void Release() => _storage.Release();

    internal static string DescribeShape(ReadOnlySpan<long> shape) => $"[{string.Join(", ", shape.ToArray())}]";

    /// <summary>The bytes of a shape; false where a size is negative or the product overflows.</summary>
    internal static bool TryCountBytes(TensorType type, ReadOnlySpan<long> shape, out long bytes)
    {
        bytes = ElementSize(type);
        foreach (long size in shape)
        {
            if (size < 0 || (size > 0 && bytes > long.MaxValue / size))
            {
                return false;
            }

            bytes *= size;
        }

        return true;
    }
}
