using System.CommandLine;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using Q4Gen.Benchmarks.Gpu;

var root = new RootCommand("Measures Q4Gen. Run it in Release, on a machine that does nothing else.");
AddProcessorCommands(root);
root.Subcommands.Add(GpuCommand.Create());
ParseResult result = root.Parse(args);
if (result.Action is ParseErrorAction error)
{
    error.ShowHelp = false;
}

return result.Invoke();

/// <summary>The program.</summary>
internal static partial class Program
{
    /// <summary>Adds the commands that need no GPU, where they are compiled in.</summary>
    static partial void AddProcessorCommands(RootCommand root);
}
