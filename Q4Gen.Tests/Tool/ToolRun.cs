using System.Text.Json;
using Q4Gen.Tool;
using Q4Gen.Tool.Console;

namespace Q4Gen.Tests.Tool;

/// <summary>What a run of the tool in this process ended with.</summary>
internal sealed record ToolRun(int ExitCode, string Output, string Error)
{
    public static async Task<ToolRun> Of(params string[] args)
    {
        var output = new StringWriter { NewLine = "\n" };
        var error = new StringWriter { NewLine = "\n" };
        int code = await Q4GenTool.RunAsync(args, ToolConsole.To(output, error));
        return new ToolRun(code, output.ToString(), error.ToString());
    }

    /// <summary>The output of a run that succeeded, as JSON.</summary>
    public static async Task<JsonElement> Json(params string[] args)
    {
        ToolRun run = await Of([.. args, "--json"]);
        Assert.Equal("", run.Error);
        Assert.Equal(Q4Gen.Tool.Console.ExitCode.Success, run.ExitCode);
        return JsonDocument.Parse(run.Output).RootElement;
    }

    /// <summary>The one line of a run that failed as it should.</summary>
    public static async Task<string> Fails(int exitCode, params string[] args)
    {
        ToolRun run = await Of(args);
        Assert.Equal((exitCode, ""), (run.ExitCode, run.Output));
        string[] lines = run.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.StartsWith("q4gen: ", lines[0]);
        Assert.True(lines.Length == 1 || (lines.Length == 2 && lines[1].StartsWith("Try 'q4gen", StringComparison.Ordinal)), run.Error);
        return lines[0]["q4gen: ".Length..];
    }
}
