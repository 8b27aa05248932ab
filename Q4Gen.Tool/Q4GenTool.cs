using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.RegularExpressions;
using Q4Gen.Tool.Commands;
using Q4Gen.Tool.Console;

namespace Q4Gen.Tool;

/// <summary>The command line: commands, and what each failure ends with.</summary>
internal static partial class Q4GenTool
{
    // Long enough to remove a temporary file.
    private static readonly TimeSpan s_timeToStop = TimeSpan.FromSeconds(30);

    /// <summary>Runs one command and returns its exit code; throws nothing that is not a fault of the tool's own.</summary>
    public static async Task<int> RunAsync(string[] args, ToolConsole console)
    {
        ParseResult result = CreateRoot(console).Parse(args);
        if (result.Errors.Count != 0)
        {
            // Of a word that is no command it says as well that there is no command.
            bool isUnknown = result.UnmatchedTokens.Count != 0;
            foreach (string message in result.Errors.Select(error => error.Message).Distinct().Skip(isUnknown && result.CommandResult.Command is RootCommand ? 1 : 0))
            {
                console.Error.WriteLine($"q4gen: {LineBreaks().Replace(message, " ")}");
            }

            console.Error.WriteLine($"Try '{CommandLine(result.CommandResult.Command)} --help'.");
            return ExitCode.Usage;
        }

        try
        {
            return await result.InvokeAsync(new InvocationConfiguration
            {
                Output = console.Output,
                Error = console.Error,
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = s_timeToStop,
            });
        }
        catch (Exception e) when (CodeOf(e) is { } code)
        {
            console.Error.WriteLine(e is OperationCanceledException ? "q4gen: interrupted; no output was left behind." : $"q4gen: {e.Message}");
            return code;
        }
    }

    /// <summary>All commands.</summary>
    internal static RootCommand CreateRoot(ToolConsole console) =>
        new("Shows, converts, quantises, packs, checks and times 4-bit models, writes the annotated classes for them, and tunes their kernels.")
        {
            InspectCommand.Create(console),
            ConvertCommand.Create(console),
            QuantizeCommand.Create(console),
            PackCommand.Create(console),
            VerifyCommand.Create(console),
            ScaffoldCommand.Create(console),
            BenchCommand.Create(console),
            TuneCommand.Create(console),
            CompletionCommand.Create(console),
        };

    private static int? CodeOf(Exception e) => e switch
    {
        OperationCanceledException => ExitCode.Interrupted,
        UsageException or PlatformNotSupportedException => ExitCode.Usage,
        WeightFormatException or OutOfMemoryException => ExitCode.BadFile,
        IOException or UnauthorizedAccessException => ExitCode.InputOutput,
        _ => null,
    };

    private static string CommandLine(Command command) => command is RootCommand ? "q4gen" : $"q4gen {command.Name}";

    [GeneratedRegex(@"\s*[\r\n]+\s*")]
    private static partial Regex LineBreaks();
}
