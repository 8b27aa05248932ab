using System.IO.MemoryMappedFiles;
using Microsoft.Win32.SafeHandles;

namespace Q4Gen.Safetensors;

/// <summary>
/// A whole file mapped read-only. Each access first asks the open handle whether length and time of writing are still
/// those of opening: a mapping shows whatever the file holds now, and reading behind a new end kills the process.
/// </summary>
/// <remarks>
/// A deleted or replaced file keeps working, because handle and mapping stay with the old one. What remains is the
/// moment between the check and the read, and a rewrite in place of the same length within the file system's tick:
/// no check can close those, so write weight files under another name and rename, as <see cref="SafetensorsWriter"/> does.
/// Layers that use a packed file in place read its pages without any check for as long as they live: what is written into
/// the file reaches their results, and cutting it short ends the process at the next call. Windows keeps others from both.
/// </remarks>
internal sealed unsafe class MappedStorage : TensorStorage
{
    private readonly string _path;
    private readonly SafeFileHandle _file;
    private readonly MemoryMappedFile _map;
    private readonly MemoryMappedViewAccessor _view;
    private readonly DateTime _lastWrite;
    private readonly byte* _pointer;
    private int _disposed;

    private MappedStorage(string path, SafeFileHandle file, long length, DateTime lastWrite)
    {
        _path = path;
        _file = file;
        Length = length;
        _lastWrite = lastWrite;
        _map = MemoryMappedFile.CreateFromFile(
            file, mapName: null, length, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        try
        {
            _view = _map.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read);
        }
        catch
        {
            _map.Dispose();
            throw;
        }

        // Acquired once, so that no garbage collection unmaps what a span still reads.
        byte* pointer = null;
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref pointer);
        _pointer = pointer + _view.PointerOffset;
    }

    /// <inheritdoc/>
    public override long Length { get; }

    /// <summary>Maps a file of at least <paramref name="minimumLength"/> bytes.</summary>
    /// <exception cref="IOException">The file is not there or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    /// <exception cref="WeightFormatException">It is no regular file, or too short.</exception>
    public static MappedStorage Open(string path, int minimumLength)
    {
        if (Directory.Exists(path))
        {
            throw new WeightFormatException(
                $"{path}: is a directory, but one safetensors file was expected; open it with SafetensorsModel.Open, or name a file in it.");
        }

        SafeFileHandle file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
        try
        {
            DateTime lastWrite = File.GetLastWriteTimeUtc(file);
            long length = MeasureLength(path, file);
            if (length < minimumLength)
            {
                throw new WeightFormatException(
                    $"{path}: has {length} bytes, but a safetensors file starts with the {minimumLength} bytes of its header's length; the file is cut off or empty: fetch or write it again.");
            }

            return new MappedStorage(path, file, length, lastWrite);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> Slice(long offset, int length)
    {
        CheckUnchanged();
        return new ReadOnlySpan<byte>(_pointer + offset, length);
    }

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> Read(long offset, Span<byte> buffer)
    {
        CheckUnchanged();
        for (int done = 0; done < buffer.Length;)
        {
            int count = RandomAccess.Read(_file, buffer[done..], offset + done);
            if (count == 0)
            {
                throw new WeightFormatException(
                    $"{_path}: changed while in use: it ends at byte {offset + done}, but had {Length} bytes when it was opened; open it again, and replace weight files by renaming a new one.");
            }

            done += count;
        }

        return buffer;
    }

    /// <inheritdoc/>
    public override nint Address(long offset) => (nint)(_pointer + offset);

    private void CheckUnchanged()
    {
        ThrowIfDisposed();
        long now = RandomAccess.GetLength(_file);
        if (now != Length)
        {
            throw new WeightFormatException(
                $"{_path}: changed while in use: it has {now} bytes, but had {Length} when it was opened; open it again, and replace weight files by renaming a new one.");
        }

        DateTime lastWrite = File.GetLastWriteTimeUtc(_file);
        if (lastWrite != _lastWrite)
        {
            throw new WeightFormatException(
                $"{_path}: changed while in use: it was written at {lastWrite:O}, but at {_lastWrite:O} when it was opened; open it again, and replace weight files by renaming a new one.");
        }
    }

    /// <inheritdoc/>
    public override void Hold()
    {
        ThrowIfDisposed();
        bool held = false;
        _view.SafeMemoryMappedViewHandle.DangerousAddRef(ref held);
    }

    /// <inheritdoc/>
    public override void Release() => _view.SafeMemoryMappedViewHandle.DangerousRelease();

    /// <inheritdoc/>
    public override void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            _view.SafeMemoryMappedViewHandle.ReleasePointer();
            _view.Dispose();
            _map.Dispose();
            _file.Dispose();
        }
    }

    private static long MeasureLength(string path, SafeFileHandle file)
    {
        try
        {
            return RandomAccess.GetLength(file);
        }
        catch (NotSupportedException e)
        {
            throw new WeightFormatException($"{path}: is no regular file, but a safetensors file was expected; copy the data to a file.", e);
        }
    }

    private void ThrowIfDisposed()
    {
        if (Volatile.Read(ref _disposed) != 0)
        {
            throw new ObjectDisposedException(_path);
        }
    }
}
