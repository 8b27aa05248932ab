using System.Globalization;
using System.Text;

namespace Q4Gen.Gpu;

/// <summary>Makes modules of kernels' texts.</summary>
internal static class PtxModule
{
    /// <summary>A module for one target, with a zero at its end as the driver wants it.</summary>
    /// <param name="target">The target, 80 for <c>sm_80</c>.</param>
    /// <param name="entries">Entries.</param>
    public static byte[] Of(int target, ReadOnlySpan<byte> entries)
    {
        (int major, int minor) = Version(target);
        string head = string.Create(CultureInfo.InvariantCulture, $".version {major}.{minor}\n.target sm_{target}\n.address_size 64\n\n");
        byte[] module = new byte[head.Length + entries.Length + 1];
        Encoding.ASCII.GetBytes(head, module);
        entries.CopyTo(module.AsSpan(head.Length));
        return module;
    }

    /// <summary>The first version of PTX that knows a target; older drivers know no newer one. PTX ISA, "Release Notes".</summary>
    private static (int Major, int Minor) Version(int target) => target switch
    {
        < 86 => (7, 0),
        86 => (7, 1),
        87 => (7, 4),
        89 or 90 => (7, 8),
        100 => (8, 6),
        _ => (8, 7),
    };
}
