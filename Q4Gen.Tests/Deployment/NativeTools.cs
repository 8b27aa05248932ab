using System.Runtime.InteropServices;

namespace Q4Gen.Tests.Deployment;

/// <summary>What NativeAOT needs of a machine beside the .NET SDK.</summary>
internal static class NativeTools
{
    /// <summary>What the executables of this machine are called.</summary>
    public static string Rid => $"linux-{RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}";

    /// <summary>Skips a test where nothing can be linked, and says what is missing.</summary>
    public static void SkipUnlessThere()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "NativeAOT is tested on Linux.");
        Assert.SkipUnless(
            Find("clang") is not null || Find("gcc") is not null,
            "NativeAOT links with clang or gcc, and neither is on the PATH (Debian package gcc).");
    }

    /// <summary>The path of a program, or null where none is on the PATH.</summary>
    public static string? Find(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);
}
