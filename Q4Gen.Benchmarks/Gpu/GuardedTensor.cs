using System.Runtime.InteropServices;
using ILGPU.Runtime;
using Q4Gen.Gpu;

namespace Q4Gen.Benchmarks.Gpu;

/// <summary>
/// A matrix in a GPU's memory between guards: all of it holds one byte's value before anything is written, so that what
/// is written outside, and what is not written inside, shows.
/// </summary>
internal sealed class GuardedTensor : IDisposable
{
    /// <summary>Of x: float16 and float32 whose bytes are these are no numbers, so a result that such x went into is none.</summary>
    public const byte NoNumber = 0xFF;

    /// <summary>Of y: as float16 a NaN that no arithmetic makes, as float32 a number near −1.7·10³⁸.</summary>
    public const byte Unwritten = 0xFE;

    /// <summary>Elements on either side: whole vectors, so that the matrix is aligned.</summary>
    private const int GuardElements = 64;

    private readonly GpuTensor _memory;
    private readonly byte _fill;
    private readonly int _firstByte;
    private readonly int _bytes;

    /// <summary>Memory for a matrix <c>[rows, columns]</c>.</summary>
    /// <param name="stream">The stream that it belongs to.</param>
    /// <param name="element">What its elements are.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns.</param>
    /// <param name="shift">Elements that it lies behind an aligned address.</param>
    /// <param name="fill">The value of all bytes.</param>
    public GuardedTensor(GpuStream stream, GpuElement element, int rows, int columns, int shift, byte fill)
    {
        int count = checked(rows * columns);
        _fill = fill;
        _firstByte = (GuardElements + shift) * GpuTensor.SizeOf(element);
        _bytes = count * GpuTensor.SizeOf(element);
        _memory = GpuTensor.Allocate(stream, element, GuardElements + shift + count + GuardElements);
        using GpuTensor slice = _memory.Slice(GuardElements + shift, count);
        Matrix = slice.Reshape(rows, columns);
        Clear();
    }

    /// <summary>The matrix.</summary>
    public GpuTensor Matrix { get; }

    /// <summary>Fills matrix and guards.</summary>
    public void Clear() => _memory.View<byte>().MemSet(_memory.Stream.Stream, _fill);

    /// <summary>Matrix and guards, once all work is done.</summary>
    public byte[] Download()
    {
        var bytes = new byte[_memory.Bytes];
        if (_memory.Element == GpuElement.Float16)
        {
            _memory.Download(MemoryMarshal.Cast<byte, Half>(bytes.AsSpan()));
        }
        else
        {
            _memory.Download(MemoryMarshal.Cast<byte, float>(bytes.AsSpan()));
        }

        return bytes;
    }

    /// <summary>The matrix in what was downloaded.</summary>
    public ReadOnlySpan<byte> MatrixOf(byte[] downloaded) => downloaded.AsSpan(_firstByte, _bytes);

    /// <summary>What is wrong around, or with, what was downloaded: null where guards are whole and every element is written.</summary>
    public string? DescribeDamage(byte[] downloaded)
    {
        int before = downloaded.AsSpan(0, _firstByte).IndexOfAnyExcept(_fill);
        if (before >= 0)
        {
            return FormattableString.Invariant($"it writes {_firstByte - before} bytes before y");
        }

        int behind = downloaded.AsSpan(_firstByte + _bytes).LastIndexOfAnyExcept(_fill);
        if (behind >= 0)
        {
            return FormattableString.Invariant($"it writes {behind + 1} bytes behind the end of y");
        }

        int unwritten = _memory.Element == GpuElement.Float16
            ? MemoryMarshal.Cast<byte, ushort>(MatrixOf(downloaded)).IndexOf((ushort)(_fill * 0x0101))
            : MemoryMarshal.Cast<byte, uint>(MatrixOf(downloaded)).IndexOf(_fill * 0x01010101u);
        return unwritten < 0 ? null : FormattableString.Invariant(
            $"it leaves y[{unwritten / Matrix.Shape[1]}, {unwritten % Matrix.Shape[1]}] unwritten");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Matrix.Dispose();
        _memory.Dispose();
    }
}
