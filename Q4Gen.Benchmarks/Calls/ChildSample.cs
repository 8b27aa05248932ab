using System.Diagnostics;
using System.Reflection;
using System.Text.Json;

namespace Q4Gen.Benchmarks.Calls;

/// <summary>Samples that need a fresh process: a child runs a hidden command of this program and prints its sample as JSON.</summary>
internal static class ChildSample
{
    /// <summary>Runs the command in a child and reads what it printed.</summary>
    /// <exception cref="InvalidOperationException">The child failed.</exception>
    public static T Run<T>(params ReadOnlySpan<string> arguments)
    {
        using Process process = Start(arguments);
        process.StandardInput.Close();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? JsonSerializer.Deserialize<T>(output)!
            : throw new InvalidOperationException($"'{string.Join(' ', arguments.ToArray())}' ended with exit code {process.ExitCode} in a child process: {output}");
    }

    /// <summary>Starts the command in a child, with both ends of its pipes.</summary>
    /// <exception cref="InvalidOperationException">The child did not start.</exception>
    public static Process Start(params ReadOnlySpan<string> arguments)
    {
        string host = Environment.ProcessPath ?? throw new InvalidOperationException("The path of this program is unknown, so no child can be started.");
        bool isDotnet = Path.GetFileNameWithoutExtension(host).Equals("dotnet", StringComparison.OrdinalIgnoreCase);
        string[] prefix = isDotnet ? [Assembly.GetExecutingAssembly().Location] : [];
        var start = new ProcessStartInfo(host, [.. prefix, .. arguments]) { RedirectStandardOutput = true, RedirectStandardInput = true };
        return Process.Start(start) ?? throw new InvalidOperationException($"'{host}' did not start.");
    }

    /// <summary>Prints a sample for the parent.</summary>
    public static void Print<T>(T sample) => Console.WriteLine(JsonSerializer.Serialize(sample));
}
