using System.CommandLine;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using Q4Gen.Benchmarks;
using Q4Gen.Benchmarks.Calls;
using Q4Gen.Benchmarks.Compare;
using Q4Gen.Benchmarks.Micro;

var root = new RootCommand("Measures Q4Gen. Run it in Release, on a machine that does nothing else.");
root.Subcommands.Add(CompareCommand.CreateCompare());
root.Subcommands.Add(CompareCommand.CreateSweep());
root.Subcommands.Add(MicroCommand.Create());
root.Subcommands.Add(SmallCommand.Create());
root.Subcommands.Add(CallersCommand.Create());
root.Subcommands.Add(LoadCommand.Create());
root.Subcommands.Add(LoadCommand.CreateChild());
root.Subcommands.Add(FirstCallCommand.Create());
root.Subcommands.Add(FirstCallCommand.CreateChild());
root.Subcommands.Add(GeneratorBenchmark.CreateCommand());
ParseResult result = root.Parse(args);
if (result.Action is ParseErrorAction error)
{
    error.ShowHelp = false;
}

return result.Invoke();
