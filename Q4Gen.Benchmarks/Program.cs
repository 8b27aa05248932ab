using System.CommandLine;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using Q4Gen.Benchmarks;
using Q4Gen.Benchmarks.Compare;

var root = new RootCommand("Measures Q4Gen. Run it in Release, on a machine that does nothing else.");
root.Subcommands.Add(CompareCommand.CreateCompare());
root.Subcommands.Add(CompareCommand.CreateSweep());
root.Subcommands.Add(GeneratorBenchmark.CreateCommand());
ParseResult result = root.Parse(args);
if (result.Action is ParseErrorAction error)
{
    error.ShowHelp = false;
}

return result.Invoke();
