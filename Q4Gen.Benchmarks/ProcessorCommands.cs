using System.CommandLine;
using Q4Gen.Benchmarks;
using Q4Gen.Benchmarks.Calls;
using Q4Gen.Benchmarks.Compare;
using Q4Gen.Benchmarks.Deployment;
using Q4Gen.Benchmarks.Micro;

/// <summary>The commands that need no GPU; a program for <c>gpu</c> alone is compiled without them.</summary>
internal static partial class Program
{
    static partial void AddProcessorCommands(RootCommand root)
    {
        root.Subcommands.Add(CompareCommand.CreateCompare());
        root.Subcommands.Add(CompareCommand.CreateSweep());
        root.Subcommands.Add(MicroCommand.Create());
        root.Subcommands.Add(SmallCommand.Create());
        root.Subcommands.Add(PartsCommand.Create());
        root.Subcommands.Add(CallersCommand.Create());
        root.Subcommands.Add(LoadCommand.Create());
        root.Subcommands.Add(LoadCommand.CreateChild());
        root.Subcommands.Add(InstantCommand.Create());
        root.Subcommands.Add(InstantCommand.CreateChild());
        root.Subcommands.Add(FirstCallCommand.Create());
        root.Subcommands.Add(FirstCallCommand.CreateChild());
        root.Subcommands.Add(DeploymentCommand.Create());
        root.Subcommands.Add(GeneratorBenchmark.CreateCommand());
    }
}
