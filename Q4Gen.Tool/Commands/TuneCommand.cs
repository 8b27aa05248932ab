using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Q4Gen.Generator.Model;
using Q4Gen.Generator.Parsing.Tuning;
using Q4Gen.Generator.Planning;
using Q4Gen.Tool.Console;
using Q4Gen.Tool.Tune;

namespace Q4Gen.Tool.Commands;

/// <summary>The command <c>tune</c>: which variants of kernels are fastest on this machine, for a build to use.</summary>
internal static class TuneCommand
{
    private const int DefaultBudgetSeconds = 120;

    // As many as Linear4BitThreads takes.
    private const int MaxThreads = 1024;

    private static readonly Option<string> s_project = new("--project") { Description = "The project whose layers are tuned, or its folder.", HelpName = "PATH" };

    private static readonly Option<string> s_layers = new("--layers")
    {
        Description = "Layers to tune without a project, such as '4096x11008_g128;4096x4096_g64_int8'.", HelpName = "LAYERS",
    };

    private static readonly Option<string> s_targets = new("--targets")
    {
        Description = "Instruction sets that there will be kernels for; a project's own Q4GenTargets without.", HelpName = "ISAS",
    };

    private static readonly Option<string> s_output = new("--output", "-o")
    {
        Description = $"The tuning file; without, the project's, or {TuningFile.FileName} here.", HelpName = "FILE",
    };

    private static readonly Option<int> s_budget = new("--time-budget")
    {
        Description = "Seconds to measure, about; each choice takes its 15 rounds in any case.", HelpName = "SECONDS", DefaultValueFactory = _ => DefaultBudgetSeconds,
    };

    private static readonly Option<int> s_threads = new("--threads")
    {
        Description = "Threads that share one call; the choices are for as many.", HelpName = "N", DefaultValueFactory = _ => Environment.ProcessorCount,
    };

    private static readonly Option<bool> s_again = new("--again") { Description = "Measures also what the file knows of this machine already." };

    private static readonly Option<string[]> s_merge = new("--merge")
    {
        Description = "Takes over tuning files from other machines, and measures nothing.", HelpName = "FILE", AllowMultipleArgumentsPerToken = true,
    };

    private static readonly Option<string> s_publish = new("--publish")
    {
        Description = "Measures nothing, but makes a folder with a program that does, to be copied to the machine to tune for.", HelpName = "DIR",
    };

    private static readonly Option<string> s_rid = new("--rid") { Description = "With --publish: that machine, such as linux-arm64; this one without.", HelpName = "RID" };

    static TuneCommand()
    {
        s_budget.Validators.Add(static result => Check(result.GetValueOrDefault<int>() >= 1, result, "--time-budget must be at least 1 second."));
        s_threads.Validators.Add(static result => Check(result.GetValueOrDefault<int>() is >= 1 and <= MaxThreads, result, $"--threads must be from 1 to {MaxThreads}; 1 computes on one thread alone."));
    }

    public static Command Create(ToolConsole console)
    {
        Option<bool> json = CommonOptions.Json();
        var command = new Command("tune", "Finds the fastest variants of a project's kernels on this machine, and writes them to a file that its build uses.")
        {
            s_project, s_layers, s_targets, s_output, s_budget, s_threads, s_again, s_merge, s_publish, s_rid, json,
        };
        command.SetAction((result, ct) => Task.Run(() => Run(console, result, result.GetValue(json), ct), ct));
        command.Validators.Add(static result =>
        {
            if (result.GetResult(s_project) is not null && result.GetResult(s_layers) is not null)
            {
                result.AddError("--project and --layers both say what to tune; give one.");
            }

            if (result.GetResult(s_rid) is not null && result.GetResult(s_publish) is null)
            {
                result.AddError("--rid says what machine --publish is for; without --publish this machine is measured.");
            }
        });
        return command;
    }

    private static void Check(bool holds, OptionResult result, string message)
    {
        if (!holds)
        {
            result.AddError(message);
        }
    }

    private static int Run(ToolConsole console, ParseResult arguments, bool isJson, CancellationToken ct)
    {
        ProjectLayers project = arguments.GetValue(s_layers) is { } layers
            ? new ProjectLayers(ParseLayers(layers), [], TuningFile.FileName)
            : console.Track("Building", 0, _ => ProjectLayers.Read(arguments.GetValue(s_project) ?? Directory.GetCurrentDirectory(), ct));
        string[] targets = arguments.GetValue(s_targets) is { } text ? ParseTargets(text) : [.. project.Targets];
        if (arguments.GetValue(s_publish) is { } folder)
        {
            string rid = arguments.GetValue(s_rid) ?? Kernels.TargetMachine.Rid;
            console.Track("Publishing", 0, _ =>
            {
                MeasuringProgram.Publish(folder, rid, project.Layers, targets, ct);
                return true;
            });
            console.Output.WriteLine($"{folder}: copy it to the machine and run {MeasuringProgram.Name} there; then bring {TuningFile.FileName} and the folder {TuneOutput.FolderOf(TuningFile.FileName)} back and run 'q4gen tune --merge {TuningFile.FileName}' here.");
            return ExitCode.Success;
        }

        var output = new TuneOutput(arguments.GetValue(s_output) ?? project.TuningFile);
        if (arguments.GetValue(s_merge) is { Length: > 0 } files)
        {
            Merge(output, files);
        }
        else
        {
            var options = new TuneOptions(
                project.Layers, targets, arguments.GetValue(s_threads), TimeSpan.FromSeconds(arguments.GetValue(s_budget)), arguments.GetValue(s_again));
            output.Tune(console, options, ct);
        }

        // Layers given by name are perhaps not all that the file is for.
        int stale = arguments.GetResult(s_layers) is null ? output.RemoveStale([.. project.Layers.Select(static layer => layer.LayerName)]) : 0;
        output.Save();
        if (isJson)
        {
            console.WriteJson(new { output.Path, output.Known, Stale = stale, output.Choices });
        }
        else
        {
            TuneReport.Write(console.Results, output.Choices, output.Known, stale, output.Path);
        }

        return ExitCode.Success;
    }

    private static void Merge(TuneOutput output, string[] files)
    {
        foreach (string file in files)
        {
            output.Merge(File.Exists(file) ? file : throw new FileNotFoundException($"{file}: is not there; name the {TuningFile.FileName} that '{MeasuringProgram.Name}' wrote."));
        }
    }

    private static LayerShape[] ParseLayers(string text)
    {
        LayerShape[] layers =
        [
            .. Split(text).Select(static name => LayerShape.Find(name)
                ?? throw new UsageException($"'{name}' is no layer; write In, Out and Group like 4096x11008_g128, and _int8 behind it for 8-bit activations.")),
        ];
        foreach (LayerShape layer in layers)
        {
            new Linear4BitShape(layer.In, layer.Out, layer.Group).Validate();
        }

        return layers.Length > 0 ? layers : throw new UsageException("--layers names no layer; write for instance --layers 4096x11008_g128.");
    }

    private static string[] ParseTargets(string text) =>
    [
        .. Split(text).Select(static name => IsaNames.Find(name) is not null
            ? name
            : throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"'{name}' is no instruction set of Q4Gen's; write some of {string.Join(", ", IsaNames.All)}, separated by semicolons."))),
    ];

    private static string[] Split(string text) => text.Split([';', ','], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
