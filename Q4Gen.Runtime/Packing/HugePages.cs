using System.Runtime.InteropServices;

namespace Q4Gen.Packing;

/// <summary>Asks Linux for pages of 2 MB under large blocks: filling them takes 512 times fewer page faults, and reading them fewer look-ups of addresses.</summary>
internal static unsafe partial class HugePages
{
    /// <summary>Bytes of such a page on x86-64 and arm64, and the alignment of blocks that are to have them.</summary>
    public const int Bytes = 2 << 20;

    /// <summary>Smaller blocks would waste more than they gain.</summary>
    public const long MinBlockBytes = 4L * Bytes;

    /// <summary>MADV_HUGEPAGE of madvise(2).</summary>
    private const int AdviseHugePages = 14;

    /// <summary>Asks; a system that has none, or gives none, keeps its ordinary pages.</summary>
    public static void Advise(nint block, long bytes)
    {
        if (!OperatingSystem.IsLinux() || bytes < MinBlockBytes)
        {
            return;
        }

        try
        {
            // Only advice: an error changes nothing but speed.
            _ = MemoryAdvise((void*)block, (nuint)bytes, AdviseHugePages);
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            // A C library by another name.
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int MemoryAdvise(void* address, nuint length, int advice);
}
