using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Q4Gen.Benchmarks.Deployment;

/// <summary>A program as it is deployed: a folder with all that goes to a machine that has no .NET.</summary>
/// <param name="Name">What a table calls it.</param>
/// <param name="Folder">The folder.</param>
/// <param name="Executable">The file in it that is started.</param>
/// <param name="FirstToken">Arguments for one token.</param>
/// <param name="Tokens">Arguments for many; null where it has no tokens.</param>
internal sealed partial record DeployedProgram(string Name, string Folder, string Executable, string[] FirstToken, string[]? Tokens)
{
    /// <summary>Bytes on disk, symbols left out.</summary>
    public long Size => new DirectoryInfo(Folder).EnumerateFiles("*", SearchOption.AllDirectories)
        .Where(static file => file.Extension is not (".dbg" or ".pdb")).Sum(static file => file.Length);

    /// <summary>Milliseconds from the start of the process until it has ended after its first token.</summary>
    public double MeasureStart()
    {
        long start = Stopwatch.GetTimestamp();
        Run(FirstToken);
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    }

    /// <summary>Tokens a second, as the program says it.</summary>
    public double MeasureTokens() =>
        double.Parse(TokensASecond().Match(Run(Tokens!)).Groups[1].Value, NumberStyles.Number, CultureInfo.InvariantCulture);

    /// <exception cref="InvalidOperationException">It is not there, or failed.</exception>
    private string Run(string[] arguments)
    {
        string path = Path.Combine(Folder, Executable);
        if (!File.Exists(path))
        {
            throw new InvalidOperationException($"There is no '{path}'; scripts/deployment.sh publishes the programs and measures them.");
        }

        using Process process = Process.Start(new ProcessStartInfo(path, arguments) { RedirectStandardOutput = true })
            ?? throw new InvalidOperationException($"'{path}' did not start.");
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"'{path}' ended with exit code {process.ExitCode}: {output}");
    }

    [GeneratedRegex(@"s: ([0-9,]+) tokens a second")]
    private static partial Regex TokensASecond();
}
