using System.CommandLine;
using Q4Gen.Benchmarks;

var root = new RootCommand("Measures Q4Gen. Run it in Release, on a machine that does nothing else.");
root.Subcommands.Add(GeneratorBenchmark.CreateCommand());
root.Subcommands.Add(DecodeBenchmark.CreateCommand());
return root.Parse(args).Invoke();
