using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;

namespace Q4Gen.Gpu;

/// <summary>
/// Asks the CUDA driver what there is. Not ILGPU: its enumeration of devices swallows every error, and whoever asked for a
/// GPU wants to know what is missing. CUDA Driver API reference, "Initialization", "Version" and "Device Management".
/// </summary>
internal static unsafe class CudaDriver
{
    /// <summary>The first version whose compiler takes what kernels are written in: PTX ISA 7.0, for sm_80.</summary>
    public const int OldestVersion = 11000;

    private const int Success = 0;
    private const int NoDevice = 100;
    private const int MultiprocessorCount = 16;
    private const int ComputeCapabilityMajor = 75;
    private const int ComputeCapabilityMinor = 76;
    private const int NameBytes = 256;

    private static nint s_library;

    /// <summary>The driver's file. On Linux not <c>libcuda.so</c>, which only development packages bring.</summary>
    public static string Library => OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1";

    /// <summary>Has ILGPU, which asks for a library called <c>cuda</c>, find the driver's file.</summary>
    public static void ResolveFor(Assembly assembly)
    {
        try
        {
            NativeLibrary.SetDllImportResolver(
                assembly,
                static (name, _, _) => name == "cuda" && NativeLibrary.TryLoad(Library, out nint handle) ? handle : 0);
        }
        catch (InvalidOperationException)
        {
            // The program has set one of its own, and knows better.
        }
    }

    /// <summary>The driver's library, which stays loaded.</summary>
    /// <exception cref="GpuUnavailableException">It is not there.</exception>
    public static nint Open()
    {
        if (s_library != 0)
        {
            return s_library;
        }

        return s_library = NativeLibrary.TryLoad(Library, out nint library)
            ? library
            : throw new GpuUnavailableException(
                $"There is no CUDA device: the driver's library '{Library}' was not found. Install the NVIDIA driver, and in a container pass the GPU through (for Docker '--gpus all').");
    }

    /// <summary>All devices.</summary>
    /// <exception cref="GpuUnavailableException">There is none, or no driver, or it is too old or does not start.</exception>
    public static IReadOnlyList<GpuDevice> Devices()
    {
        nint driver = Open();
        int error = Function<int>(driver, "cuInit")(0);
        if (error != Success)
        {
            throw error == NoDevice ? NoDevices() : new GpuUnavailableException(
                $"The CUDA driver '{Library}' does not start: {ErrorText(driver, error)}. See what 'nvidia-smi' says.");
        }

        int version = Get(driver, "cuDriverGetVersion");
        if (version < OldestVersion)
        {
            throw new GpuUnavailableException(
                $"The CUDA driver is too old: it is for CUDA {Dotted(version)}, and kernels need {Dotted(OldestVersion)}. Install a newer NVIDIA driver.");
        }

        var devices = new GpuDevice[Get(driver, "cuDeviceGetCount")];
        for (int i = 0; i < devices.Length; i++)
        {
            devices[i] = Device(driver, i);
        }

        return devices.Length > 0 ? devices : throw NoDevices();
    }

    private static GpuUnavailableException NoDevices() => new(
        $"There is no CUDA device: '{Library}' is there, but reports none. See what 'nvidia-smi' lists, and whether CUDA_VISIBLE_DEVICES hides it.");

    private static GpuDevice Device(nint driver, int index)
    {
        int handle;
        Check(driver, ((delegate* unmanaged<int*, int, int>)Export(driver, "cuDeviceGet"))(&handle, index));
        int device = handle;
        byte* name = stackalloc byte[NameBytes];
        Check(driver, ((delegate* unmanaged<byte*, int, int, int>)Export(driver, "cuDeviceGetName"))(name, NameBytes, device));
        nuint bytes;
        Check(driver, ((delegate* unmanaged<nuint*, int, int>)Export(driver, "cuDeviceTotalMem_v2"))(&bytes, device));
        int Attribute(int which)
        {
            int value;
            Check(driver, ((delegate* unmanaged<int*, int, int, int>)Export(driver, "cuDeviceGetAttribute"))(&value, which, device));
            return value;
        }

        return new GpuDevice(
            index, Marshal.PtrToStringUTF8((nint)name)!, Attribute(ComputeCapabilityMajor), Attribute(ComputeCapabilityMinor),
            Attribute(MultiprocessorCount), (long)bytes);
    }

    private static int Get(nint driver, string function)
    {
        int value;
        Check(driver, ((delegate* unmanaged<int*, int>)Export(driver, function))(&value));
        return value;
    }

    /// <summary>Throws what the driver says of an error.</summary>
    /// <exception cref="GpuUnavailableException">It is one.</exception>
    public static void Check(nint driver, int error)
    {
        if (error != Success)
        {
            throw new GpuUnavailableException($"The CUDA driver '{Library}' fails: {ErrorText(driver, error)}. See what 'nvidia-smi' says.");
        }
    }

    private static string ErrorText(nint driver, int error)
    {
        byte* text = null;
        ((delegate* unmanaged<int, byte**, int>)Export(driver, "cuGetErrorString"))(error, &text);
        return string.Create(CultureInfo.InvariantCulture, $"error {error}, {(text == null ? "unknown" : Marshal.PtrToStringUTF8((nint)text))}");
    }

    private static delegate* unmanaged<T, int> Function<T>(nint driver, string name)
        where T : unmanaged => (delegate* unmanaged<T, int>)Export(driver, name);

    /// <summary>Where a function of the driver is.</summary>
    /// <exception cref="GpuUnavailableException">There is no driver, or it has none of this name.</exception>
    public static nint Export(string name) => Export(Open(), name);

    /// <inheritdoc cref="Export(string)"/>
    public static nint Export(nint driver, string name) => NativeLibrary.TryGetExport(driver, name, out nint address)
        ? address
        : throw new GpuUnavailableException($"'{Library}' is no CUDA driver that kernels can use: it has no '{name}'. Install a newer NVIDIA driver.");

    private static string Dotted(int version) => string.Create(CultureInfo.InvariantCulture, $"{version / 1000}.{version % 1000 / 10}");
}
