using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace Q4Gen.Tests.Kernels;

/// <summary>Runs some tests of this assembly in a process of their own, for what a running process cannot change.</summary>
internal static partial class ChildProcess
{
    /// <summary>Names a command that runs this assembly, where <c>dotnet exec</c> cannot: in an emulator.</summary>
    private const string HostVariable = "Q4GEN_TEST_HOST";

    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(3);

    public static async Task<ChildResult> RunAsync(
        IReadOnlyDictionary<string, string> environment, IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        string? host = Environment.GetEnvironmentVariable(HostVariable);
        string[] program = string.IsNullOrEmpty(host) ? [DotnetHost(), "exec", typeof(ChildProcess).Assembly.Location] : [host];
        var start = new ProcessStartInfo(program[0], [.. program[1..], "-noColor", "-noLogo", "-maxThreads", "1", .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach ((string name, string value) in environment)
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start) ?? throw new InvalidOperationException("The child process did not start.");
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_limit);
        Task<string> output = process.StandardOutput.ReadToEndAsync(limit.Token);
        Task<string> error = process.StandardError.ReadToEndAsync(limit.Token);
        try
        {
            await process.WaitForExitAsync(limit.Token);
            string text = await output + await error;
            Match total = Total().Match(text);
            return new ChildResult(process.ExitCode, total.Success ? int.Parse(total.Groups[1].Value) : 0, text);
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
    }

    /// <summary>The dotnet command of the runtime that runs us.</summary>
    public static string DotnetHost()
    {
        string root = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));
        return Path.Combine(root, OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet");
    }

    [GeneratedRegex(@"Total: (\d+), Errors: 0, Failed: 0, Skipped: 0")]
    private static partial Regex Total();
}

/// <summary>How a child ended.</summary>
/// <param name="ExitCode">0 where all tests passed.</param>
/// <param name="Passed">Tests that ran, where all passed; otherwise 0.</param>
/// <param name="Output">All that it printed.</param>
internal sealed record ChildResult(int ExitCode, int Passed, string Output);
