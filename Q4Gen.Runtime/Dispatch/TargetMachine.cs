using System.ComponentModel;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using System.Text;

namespace Q4Gen.Kernels;

/// <summary>
/// The kind of machine that this process runs on, as tuning files tell machines apart. Generated families ask once, when
/// they create their kernels.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class TargetMachine
{
    /// <summary>Arm Linux keeps the processor's main identification register here; user programs may not read the register itself.</summary>
    private const string ArmIdentification = "/sys/devices/system/cpu/cpu0/regs/identification/midr_el1";

    private static readonly (string Vendor, int Family, int Model) s_processor = FindProcessor();

    /// <summary>The processor's vendor as it names itself, such as <c>AuthenticAMD</c>; empty where it cannot be told.</summary>
    internal static string Vendor => s_processor.Vendor;

    /// <summary>The processor's family; of Arm the part number.</summary>
    internal static int Family => s_processor.Family;

    /// <summary>The processor's model; of Arm the variant.</summary>
    internal static int Model => s_processor.Model;

    /// <summary>Operating system and architecture, such as <c>linux-x64</c>.</summary>
    internal static string Rid { get; } = FindRid();

    /// <summary>Whether this is such a machine, and calls are shared by so many threads.</summary>
    /// <param name="vendor">The processor's vendor.</param>
    /// <param name="family">Its family.</param>
    /// <param name="model">Its model.</param>
    /// <param name="threads">The value of <see cref="Linear4BitThreads.Count"/>.</param>
    /// <param name="rid">Operating system and architecture.</param>
    public static bool Is(string vendor, int family, int model, int threads, string rid) =>
        s_processor == (vendor, family, model) && vendor.Length > 0 && Rid == rid && Linear4BitThreads.Count == threads;

    private static (string Vendor, int Family, int Model) FindProcessor() =>
        X86Base.IsSupported ? FindX86() : OperatingSystem.IsLinux() ? FindArm() : ("", 0, 0);

    /// <summary>From leaves 0 and 1 of CPUID; AMD's and Intel's manuals say how the extended fields join the others.</summary>
    private static (string Vendor, int Family, int Model) FindX86()
    {
        (_, int b, int c, int d) = X86Base.CpuId(0, 0);
        ReadOnlySpan<int> vendor = [b, d, c];
        (int version, _, _, _) = X86Base.CpuId(1, 0);
        int family = (version >> 8) & 0xF, model = (version >> 4) & 0xF;
        int fullFamily = family == 0xF ? family + ((version >> 20) & 0xFF) : family;
        int fullModel = family is 0x6 or 0xF ? model + ((version >> 12) & 0xF0) : model;
        return (Encoding.ASCII.GetString(MemoryMarshal.AsBytes(vendor)), fullFamily, fullModel);
    }

    private static (string Vendor, int Family, int Model) FindArm()
    {
        try
        {
            string text = File.ReadAllText(ArmIdentification).Trim();
            ulong register = ulong.Parse(text.AsSpan(text.StartsWith("0x", StringComparison.Ordinal) ? 2 : 0), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            return (string.Create(CultureInfo.InvariantCulture, $"arm-0x{(register >> 24) & 0xFF:x2}"), (int)(register >> 4) & 0xFFF, (int)(register >> 20) & 0xF);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException or OverflowException)
        {
            // A machine that nothing is tuned for.
            return ("", 0, 0);
        }
    }

    private static string FindRid()
    {
        string system = OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "osx" : OperatingSystem.IsLinux() ? "linux" : "unknown";
        return $"{system}-{RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}";
    }
}
