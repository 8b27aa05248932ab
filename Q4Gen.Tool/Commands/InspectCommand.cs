using System.CommandLine;
using Q4Gen.Import;
using Q4Gen.Tool.Console;
using Q4Gen.Tool.Inspect;

namespace Q4Gen.Tool.Commands;

/// <summary>The command <c>inspect</c>: what a model's file holds, and which attribute each linear layer needs.</summary>
internal static class InspectCommand
{
    public static Command Create(ToolConsole console)
    {
        Argument<string> input = CommonOptions.Input();
        Option<int> group = new("--group") { Description = "Columns that share a scale, in the attributes of layers that are floats still.", HelpName = "N", DefaultValueFactory = _ => 128 };
        Option<bool> all = new("--all") { Description = "Lists each tensor; without it, those that repeat from block to block are one line." };
        Option<bool> noScales = new("--no-scales") { Description = "Leaves the histogram of scales out, for which layers of other formats are converted." };
        Option<bool> names = CommonOptions.HuggingFaceNames();
        Option<bool> json = CommonOptions.Json();
        group.Validators.Add(static result =>
        {
            if (result.GetValueOrDefault<int>() <= 0)
            {
                result.AddError("--group must be positive, for instance 32, 64 or 128.");
            }
        });
        var command = new Command("inspect", "Shows tensors, linear layers with the attribute that each needs, and a histogram of scales.")
        {
            input, group, all, noScales, names, json,
        };
        command.SetAction((result, ct) => Task.Run(
            () =>
            {
                using var model = ModelFile.Open(result.GetRequiredValue(input), new ModelFileOptions { HuggingFaceNames = result.GetValue(names), Cancellation = ct });
                ScaleHistogram? scales = result.GetValue(noScales)
                    ? null
                    : console.Track("Reading scales", model.Tensors.Sum(tensor => tensor.ByteLength), progress => ScaleHistogram.Of(model, progress, ct));
                var report = InspectReport.Of(model, scales, result.GetValue(group));
                if (result.GetValue(json))
                {
                    console.WriteJson(report);
                }
                else
                {
                    InspectTables.Write(console.Results, report, result.GetValue(all));
                }

                return ExitCode.Success;
            },
            ct));
        return command;
    }
}
