using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using ILGPU.Runtime.Cuda;
using Q4Gen.Gpu;

namespace Q4Gen.Benchmarks.Gpu;

/// <summary>What GPU figures were taken on.</summary>
/// <param name="Device">The device's name.</param>
/// <param name="Capability">Its compute capability.</param>
/// <param name="Multiprocessors">Its multiprocessors.</param>
/// <param name="MemoryMib">Its memory.</param>
/// <param name="Driver">The driver's version; null where the system does not tell.</param>
/// <param name="Cuda">The CUDA version that the driver is for.</param>
/// <param name="Runtime">The .NET runtime.</param>
/// <param name="OperatingSystem">The operating system.</param>
internal sealed partial record GpuMachine(
    string Device, string? Capability, int Multiprocessors, long MemoryMib, string? Driver, string? Cuda, string Runtime, string OperatingSystem)
{
    /// <summary>Where the driver's kernel module says its version.</summary>
    private static readonly string[] s_driverFiles = ["/sys/module/nvidia/version", "/proc/driver/nvidia/version"];

    /// <summary>The machine of a context, which was opened with <paramref name="index"/>.</summary>
    public static GpuMachine Of(GpuContext gpu, int? index)
    {
        (string runtime, string system) = (RuntimeInformation.FrameworkDescription, RuntimeInformation.OSDescription);
        if (gpu.IsEmulated)
        {
            return new GpuMachine(gpu.Name, null, gpu.Accelerator.NumMultiprocessors, gpu.Memory().Total >> 20, null, null, runtime, system);
        }

        GpuDevice device = GpuContext.Choose(GpuContext.Devices(), index);
        return new GpuMachine(
            device.Name, string.Create(CultureInfo.InvariantCulture, $"{device.Major}.{device.Minor}"), device.Multiprocessors, device.MemoryBytes >> 20,
            DriverVersion(), CudaVersion(gpu), runtime, system);
    }

    /// <summary>The driver's version in such a file's text.</summary>
    internal static string? DriverVersionIn(string text) => Version().Match(text) is { Success: true } match ? match.Value : null;

    private static string? DriverVersion()
    {
        foreach (string file in s_driverFiles)
        {
            try
            {
                if (DriverVersionIn(File.ReadAllText(file)) is { } version)
                {
                    return version;
                }
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // Another system, or a container that hides it.
            }
        }

        return null;
    }

    private static string? CudaVersion(GpuContext gpu) =>
        gpu.Accelerator is CudaAccelerator { DriverVersion: var version } ? string.Create(CultureInfo.InvariantCulture, $"{version.Major}.{version.Minor}") : null;

    [GeneratedRegex(@"\b[0-9]{3,}\.[0-9]+(\.[0-9]+)?\b", RegexOptions.CultureInvariant)]
    private static partial Regex Version();
}
