using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Q4Gen.Tests.Gpu;

/// <summary>
/// ptxas, NVIDIA's assembler: says without a GPU whether a device would take a kernel's PTX, and which registers and memory
/// the kernel would have there. <c>scripts/get-ptxas.sh</c> brings it.
/// </summary>
internal static partial class PtxAssembler
{
    /// <summary>Names a ptxas that goes before all others.</summary>
    private const string Variable = "Q4GEN_PTXAS";

    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(2);

    private static string FileName { get; } = OperatingSystem.IsWindows() ? "ptxas.exe" : "ptxas";

    /// <summary>The path of ptxas, or null where there is none.</summary>
    /// <exception cref="FileNotFoundException">The environment variable names a file that is not there: no other one stands in for it.</exception>
    public static string? Find()
    {
        string? named = Environment.GetEnvironmentVariable(Variable);
        if (!string.IsNullOrEmpty(named))
        {
            return File.Exists(named) ? Path.GetFullPath(named) : throw new FileNotFoundException($"{Variable} names {named}, which is not there.");
        }

        IEnumerable<string> folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        if (Repository.Root is { } root)
        {
            folders = folders.Prepend(Path.Combine(root, "artifacts", "ptxas"));
        }

        return folders.Select(folder => Path.GetFullPath(Path.Combine(folder, FileName))).FirstOrDefault(File.Exists);
    }

    /// <summary>Assembles PTX and returns the figures of one of its kernels.</summary>
    /// <param name="ptx">The text of a whole module.</param>
    /// <param name="arch">The device's architecture: <c>sm_80</c>, <c>sm_90</c>.</param>
    /// <param name="entry">The kernel's name in <paramref name="ptx"/>.</param>
    /// <exception cref="InvalidOperationException">
    /// There is no ptxas, it refused the PTX (the message is its own, with lines), or the PTX has no such kernel.
    /// </exception>
    public static PtxFigures Assemble(string ptx, string arch, string entry)
    {
        string assembler = Find() ?? throw new InvalidOperationException("There is no ptxas to assemble with; scripts/get-ptxas.sh brings it.");

        // Its output goes there as well, and not to the null device, which other systems name otherwise.
        DirectoryInfo folder = Directory.CreateTempSubdirectory("q4gen-ptx-");
        try
        {
            File.WriteAllText(Path.Combine(folder.FullName, "kernel.ptx"), ptx);
            return Parse(Run(assembler, [$"-arch={arch}", "-v", "--warn-on-spills", "-o", "kernel.cubin", "kernel.ptx"], folder.FullName), entry);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>The figures of <paramref name="entry"/> in what ptxas prints with <c>-v</c>.</summary>
    internal static PtxFigures Parse(string output, string entry)
    {
        // Functions that a kernel calls without inlining follow with figures of their own; the kernel's are the first ones.
        Match kernel = Kernels().Matches(output).FirstOrDefault(match => match.Groups["name"].Value == entry)
            ?? throw new InvalidOperationException($"ptxas assembled no kernel {entry}. It printed:\n{output}");
        string text = kernel.Groups["figures"].Value;
        Match used = Used().Match(text), stack = Stack().Match(text);
        if (!used.Success || !stack.Success)
        {
            throw new InvalidOperationException($"The figures of {entry} are not in what ptxas printed:\n{output}");
        }

        return new PtxFigures(
            Number(used, "registers"),
            SharedBytes: used.Groups["shared"].Success ? Number(used, "shared") : 0,
            Number(stack, "frame"),
            Number(stack, "stores"),
            Number(stack, "loads"));
    }

    private static int Number(Match match, string group) => int.Parse(match.Groups[group].ValueSpan, CultureInfo.InvariantCulture);

    private static string Run(string program, string[] arguments, string folder)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start) ?? throw new InvalidOperationException($"{program} did not start.");

        // Both at once, for a full pipe would hold the process up.
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(s_limit))
        {
            process.Kill();
            throw new InvalidOperationException($"ptxas took longer than {s_limit.TotalMinutes} minutes.");
        }

        string text = output.GetAwaiter().GetResult() + error.GetAwaiter().GetResult();
        return process.ExitCode == 0
            ? text
            : throw new InvalidOperationException($"ptxas refused the PTX (exit code {process.ExitCode}):\n{text}");
    }

    [GeneratedRegex(@"Compiling entry function '(?<name>[^']+)'(?<figures>.*?)(?=Compiling entry function|\z)", RegexOptions.Singleline)]
    private static partial Regex Kernels();

    // Newer releases add barriers between registers and memory; no shared memory is not mentioned at all.
    [GeneratedRegex(@"Used (?<registers>\d+) registers(?:[^\n]*? (?<shared>\d+) bytes smem)?")]
    private static partial Regex Used();

    [GeneratedRegex(@"(?<frame>\d+) bytes stack frame, (?<stores>\d+) bytes spill stores, (?<loads>\d+) bytes spill loads")]
    private static partial Regex Stack();
}

/// <summary>What a kernel takes on a device.</summary>
/// <param name="Registers">32-bit registers of a thread.</param>
/// <param name="SharedBytes">Shared memory of a block, without what a launch adds.</param>
/// <param name="StackBytes">Local memory of a thread: its frame, in which spilled registers lie as well.</param>
/// <param name="SpillStoreBytes">Bytes that a thread's spilled registers write.</param>
/// <param name="SpillLoadBytes">Bytes that a thread's spilled registers read.</param>
internal sealed record PtxFigures(int Registers, int SharedBytes, int StackBytes, int SpillStoreBytes, int SpillLoadBytes);
