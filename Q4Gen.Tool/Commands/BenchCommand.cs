using System.CommandLine;
using Q4Gen.Import;
using Q4Gen.Tool.Bench;
using Q4Gen.Tool.Console;

namespace Q4Gen.Tool.Commands;

/// <summary>The command <c>bench</c>: what this machine takes for the linear layers of a model, beside what its memory gives.</summary>
internal static class BenchCommand
{
    // As many as Linear4BitThreads takes.
    private const int MaxThreads = 1024;

    public static Command Create(ToolConsole console)
    {
        Argument<string> input = CommonOptions.Input();
        Option<int> threads = new("--threads") { Description = "Threads that share one call.", HelpName = "N", DefaultValueFactory = _ => Environment.ProcessorCount };
        Option<int?> group = Group();
        Option<bool> json = CommonOptions.Json();
        threads.Validators.Add(static result =>
        {
            if (result.GetValueOrDefault<int>() is < 1 or > MaxThreads)
            {
                result.AddError($"--threads must be from 1 to {MaxThreads}; 1 computes on one thread alone.");
            }
        });
        var command = new Command("bench", "Times the linear layers of a model on this machine, for one token, beside its memory bandwidth.") { input, threads, group, json };
        command.SetAction((result, ct) => Task.Run(
            () =>
            {
                using var model = ModelFile.Open(result.GetRequiredValue(input), new ModelFileOptions { Cancellation = ct });
                IReadOnlyList<LinearLayer> layers = LayerShapes.WithGroup(model.Layers, result.GetValue(group));
                var report = console.Track("Measuring", 0, progress =>
                    BenchRun.Measure(layers, model.Path, new BenchOptions(result.GetValue(threads)), progress, ct));
                if (result.GetValue(json))
                {
                    console.WriteJson(report);
                }
                else
                {
                    BenchTables.Write(console.Results, report);
                }

                return ExitCode.Success;
            },
            ct));
        return command;
    }

    /// <summary>The group of layers that are still floats.</summary>
    internal static Option<int?> Group()
    {
        Option<int?> group = new("--group") { Description = "Columns that share a scale, for layers that are floats still; 128 without.", HelpName = "N" };
        group.Validators.Add(static result =>
        {
            if (result.GetValueOrDefault<int?>() <= 0)
            {
                result.AddError("--group must be positive, for instance 32, 64 or 128.");
            }
        });
        return group;
    }
}
