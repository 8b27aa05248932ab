using System.CommandLine;
using System.Text.RegularExpressions;
using Q4Gen.Tests.Runtime;
using Q4Gen.Tool;
using Q4Gen.Tool.Console;

namespace Q4Gen.Tests.Tool;

/// <summary>docs/tool.md against the tool: all commands, options and exit codes, and the output of each example.</summary>
public partial class ToolDocumentationTests
{
    private const string Ellipsis = "…";

    private static string Folder => Repository.Root ?? throw new DirectoryNotFoundException("The tests do not run from a checkout of the repository.");

    private static string Page => File.ReadAllText(Path.Combine(Folder, "docs", "tool.md")).ReplaceLineEndings("\n");

    [Fact]
    public void EveryCommandOptionAndExitCodeIsThere()
    {
        RootCommand root = Q4GenTool.CreateRoot(ToolConsole.To(TextWriter.Null, TextWriter.Null));
        Assert.All(root.Subcommands, command => Assert.Contains($"## {command.Name}\n", Page));
        string[] options = [.. root.Subcommands.SelectMany(command => command.Options).Select(option => option.Name).Distinct().Except(["--help"])];
        Assert.True(options.Length > 12);
        Assert.All(options, option => Assert.Matches(Regex.Escape(option) + "[ `]", Page));
        Assert.All(
            typeof(ExitCode).GetFields().Select(field => (int)field.GetRawConstantValue()!),
            code => Assert.Contains($"\n| {code} | ", Page));
    }

    [Fact]
    public async Task TheExamplesAreWhatTheToolPrints()
    {
        using var folder = new TemporaryFolder();
        File.Copy(Path.Combine(Folder, "examples", "Storyteller", "Model", "model.safetensors"), folder["model.safetensors"]);
        MatchCollection examples = Example().Matches(Page);
        Assert.True(examples.Count >= 5);
        foreach (Match example in examples)
        {
            string[] args = [.. example.Groups["args"].Value.Split(' ').Select(arg => arg.Trim('\''))
                .Select(arg => arg.EndsWith(".safetensors", StringComparison.Ordinal) ? folder[arg] : arg)];
            ToolRun run = await ToolRun.Of(args);
            Assert.Equal((0, ""), (run.ExitCode, run.Error));
            string printed = WithoutTimes(run.Output.Replace(folder.Root + Path.DirectorySeparatorChar, "", StringComparison.Ordinal));
            string[] parts = WithoutTimes(example.Groups["output"].Value).Split(Ellipsis + "\n");
            if (parts is [var all])
            {
                Assert.Equal(all.TrimEnd('\n'), printed.TrimEnd('\n'));
            }
            else
            {
                Assert.StartsWith(parts[0], printed);
                Assert.EndsWith(parts[1].TrimEnd('\n'), printed.TrimEnd('\n'));
            }
        }
    }

    private static string WithoutTimes(string text) => Times().Replace(text, "in some time");

    [GeneratedRegex("```console\n\\$ q4gen (?<args>[^\n]+)\n(?<output>.*?)```", RegexOptions.Singleline)]
    private static partial Regex Example();

    [GeneratedRegex(@"in [0-9.]+ s \([^)]*/s\)")]
    private static partial Regex Times();
}
