using System.Diagnostics;
using System.Text.RegularExpressions;
using Q4Gen.Tests.Kernels;

namespace Q4Gen.Tests.Packaging;

/// <summary>Runs <c>dotnet</c> as a user would, on a machine of their own: nothing of the running tests shows through.</summary>
internal static class DotnetCommand
{
    /// <summary>Many times what the slowest takes; only a command that hangs reaches it.</summary>
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(5);

    /// <summary>What a test host, a build that runs tests, or a build server sets and a child must not inherit.</summary>
    private static readonly string[] s_removed =
        ["MSBUILD", "VSTEST", "TESTINGPLATFORM", "DOTNET_HOST_PATH", "DOTNET_STARTUP_HOOKS", "DOTNET_CLI_", "Q4GEN"];

    public static Task<CommandResult> RunAsync(
        string folder, IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string>? environment, CancellationToken cancellationToken) =>
        RunAsync(ChildProcess.DotnetHost(), folder, arguments, environment, cancellationToken);

    /// <summary>Another program, such as one that a command has just made, on the same machine of its own.</summary>
    public static async Task<CommandResult> RunAsync(
        string program, string folder, IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string>? environment, CancellationToken cancellationToken)
    {
        string command = $"{Path.GetFileName(program)} {string.Join(' ', arguments)}";
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (string name in start.Environment.Keys.Where(IsRemoved).ToArray())
        {
            start.Environment.Remove(name);
        }

        start.Environment["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1";
        start.Environment["DOTNET_CLI_UI_LANGUAGE"] = "en";
        start.Environment["DOTNET_CLI_USE_MSBUILD_SERVER"] = "0";
        start.Environment["DOTNET_NOLOGO"] = "1";
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        foreach ((string name, string value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start) ?? throw new InvalidOperationException($"{command} did not start.");
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_limit);
        try
        {
            Task<string> output = process.StandardOutput.ReadToEndAsync(limit.Token);
            Task<string> error = process.StandardError.ReadToEndAsync(limit.Token);
            await process.WaitForExitAsync(limit.Token);
            return new CommandResult(command, process.ExitCode, await output + await error);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"{command} took longer than {s_limit}.");
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
    }

    /// <summary>A user's machine is no build server either.</summary>
    private static bool IsRemoved(string name) =>
        name.Equals("CI", StringComparison.OrdinalIgnoreCase) || s_removed.Any(prefix => name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase));
}

/// <summary>How a command ended.</summary>
/// <param name="Command">The command line.</param>
/// <param name="ExitCode">0 where it succeeded.</param>
/// <param name="Output">All that it printed.</param>
internal sealed partial record CommandResult(string Command, int ExitCode, string Output)
{
    /// <summary>Lines with errors and warnings, each once, though MSBuild repeats them in its summary.</summary>
    public string[] Problems => [.. Problem().Matches(Output).Select(static match => match.Value.Trim()).Distinct()];

    public CommandResult EnsureSucceeded()
    {
        Assert.True(ExitCode == 0, $"{Command} ended with {ExitCode}:\n{Output}");
        return this;
    }

    [GeneratedRegex(@"^.*\b(error|warning) [A-Z][A-Z0-9]+:.*$", RegexOptions.Multiline)]
    private static partial Regex Problem();
}
