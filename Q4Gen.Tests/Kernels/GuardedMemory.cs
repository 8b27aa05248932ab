using System.Runtime.InteropServices;

namespace Q4Gen.Tests.Kernels;

/// <summary>Which end of the data touches a page that nobody may read or write.</summary>
public enum GuardSide
{
    /// <summary>The page behind the last element.</summary>
    After,

    /// <summary>The page before the first element.</summary>
    Before,
}

/// <summary>
/// Elements that end exactly where a forbidden page begins, or begin exactly where one ends. Touching the forbidden
/// page ends the process; on the other side lie canaries, which <see cref="CheckCanaries"/> looks after.
/// </summary>
internal sealed unsafe class GuardedMemory<T> : IDisposable
    where T : unmanaged
{
    private const byte Canary = 0xCD;

    private readonly nuint _mapped;
    private readonly nuint _usable;
    private readonly byte* _base;
    private readonly byte* _usableStart;

    public GuardedMemory(int length, GuardSide side)
    {
        nuint page = (nuint)Environment.SystemPageSize;
        nuint bytes = (nuint)length * (nuint)sizeof(T);
        _usable = (bytes + page) / page * page;
        _mapped = _usable + 2 * page;
        _base = GuardedPages.Map(_mapped);
        _usableStart = _base + page;
        GuardedPages.Allow(_usableStart, _usable);
        new Span<byte>(_usableStart, checked((int)_usable)).Fill(Canary);
        Pointer = (T*)(side == GuardSide.Before ? _usableStart : _usableStart + _usable - bytes);
        Length = length;
    }

    public GuardedMemory(ReadOnlySpan<T> data, GuardSide side)
        : this(data.Length, side) => data.CopyTo(Span);

    public T* Pointer { get; }

    public int Length { get; }

    public Span<T> Span => new(Pointer, Length);

    /// <summary>Asserts that nothing beside the elements was written.</summary>
    public void CheckCanaries()
    {
        int before = (int)((byte*)Pointer - _usableStart);
        int end = before + Length * sizeof(T);
        var all = new ReadOnlySpan<byte>(_usableStart, checked((int)_usable));
        Assert.Equal(-1, all[..before].IndexOfAnyExcept(Canary));
        Assert.Equal(-1, all[end..].IndexOfAnyExcept(Canary));
    }

    public void Dispose() => GuardedPages.Unmap(_base, _mapped);
}

/// <summary>Pages with their access rights. Where there is no <c>mmap</c>, plain memory: the canaries remain.</summary>
internal static unsafe partial class GuardedPages
{
    private const int ReadWrite = 1 | 2;
    private const int Private = 2;

    private static int Anonymous => OperatingSystem.IsMacOS() ? 0x1000 : 0x20;

    public static bool AreSupported => OperatingSystem.IsLinux() || OperatingSystem.IsMacOS();

    public static byte* Map(nuint bytes)
    {
        if (!AreSupported)
        {
            return (byte*)NativeMemory.AlignedAlloc(bytes, (nuint)Environment.SystemPageSize);
        }

        nint address = MemoryMap(0, bytes, 0, Private | Anonymous, -1, 0);
        return address == -1 ? throw new OutOfMemoryException($"mmap of {bytes} bytes failed.") : (byte*)address;
    }

    public static void Allow(byte* start, nuint bytes)
    {
        if (AreSupported)
        {
            Assert.Equal(0, MemoryProtect((nint)start, bytes, ReadWrite));
        }
    }

    public static void Unmap(byte* start, nuint bytes)
    {
        if (AreSupported)
        {
            Assert.Equal(0, MemoryUnmap((nint)start, bytes));
        }
        else
        {
            NativeMemory.AlignedFree(start);
        }
    }

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial nint MemoryMap(nint address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int MemoryProtect(nint address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int MemoryUnmap(nint address, nuint length);
}
