using System.Diagnostics;
using System.Reflection;
using System.Text.Json;

namespace Q4Gen.Benchmarks.Calls;

/// <summary>Samples that need a fresh process: a child runs a hidden command of this program and prints its sample as JSON.</summary>
internal static class ChildSample
{
    /// <summary>Runs the command in a child and reads what it printed.</summary>
    /// <exception cref="InvalidOperationException">The child failed.</exception>
    public static T Run<T>(params ReadOnlySpan<string> arguments) => Read<T>(Start(arguments));

    /// <summary>The same of another program that prints such a sample.</summary>
    /// <exception cref="InvalidOperationException">It is not there, or failed.</exception>
    public static T RunProgram<T>(string path, params string[] arguments) => File.Exists(path)
        ? Read<T>(Start(new ProcessStartInfo(path, arguments)))
        : throw new InvalidOperationException($"There is no '{path}'; scripts/deployment.sh publishes it.");

    /// <summary>Starts the command in a child, with both ends of its pipes.</summary>
    /// <exception cref="InvalidOperationException">The child did not start.</exception>
    public static Process Start(params ReadOnlySpan<string> arguments)
    {
        string host = Environment.ProcessPath ?? throw new InvalidOperationException("The path of this program is unknown, so no child can be started.");
        bool isDotnet = Path.GetFileNameWithoutExtension(host).Equals("dotnet", StringComparison.OrdinalIgnoreCase);
        string[] prefix = isDotnet ? [Assembly.GetExecutingAssembly().Location] : [];
        return Start(new ProcessStartInfo(host, [.. prefix, .. arguments]));
    }

    private static Process Start(ProcessStartInfo start)
    {
        start.RedirectStandardOutput = true;
        start.RedirectStandardInput = true;
        return Process.Start(start) ?? throw new InvalidOperationException($"'{start.FileName}' did not start.");
    }

    private static T Read<T>(Process started)
    {
        using Process process = started;
        process.StandardInput.Close();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? JsonSerializer.Deserialize<T>(output)!
            : throw new InvalidOperationException($"'{process.StartInfo.FileName} {string.Join(' ', process.StartInfo.ArgumentList)}' ended with exit code {process.ExitCode}: {output}");
    }

    /// <summary>Prints a sample for the parent.</summary>
    public static void Print<T>(T sample) => Console.WriteLine(JsonSerializer.Serialize(sample));
}
