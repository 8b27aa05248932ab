using System.CommandLine;
using Q4Gen.Import;
using Q4Gen.Import.Packed;
using Q4Gen.Tool.Console;
using Q4Gen.Tool.Verify;

namespace Q4Gen.Tool.Commands;

/// <summary>The command <c>verify</c>: all that a loader checks, and the distance of each layer from another file's.</summary>
internal static class VerifyCommand
{
    public static Command Create(ToolConsole console)
    {
        Argument<string> input = CommonOptions.Input();
        Option<string?> against = new("--against") { Description = "Another model, of any format, to compare with layer by layer.", HelpName = "FILE" };
        Option<double?> allowed = new("--max-error") { Description = "With --against: the relative RMS difference above which a layer counts as different.", HelpName = "X" };
        Option<bool> names = CommonOptions.HuggingFaceNames();
        Option<bool> json = CommonOptions.Json();
        var command = new Command("verify", "Checks all that a loader would, and compares with another file layer by layer.") { input, against, allowed, names, json };
        command.Validators.Add(result =>
        {
            if (result.GetValue(allowed) is { } limit && !(limit >= 0))
            {
                result.AddError("--max-error must be a number from 0 on, such as 0.1.");
            }

            if (result.GetValue(allowed) is not null && result.GetValue(against) is null)
            {
                result.AddError("--max-error is the distance from another file; name that with --against.");
            }
        });
        command.SetAction((result, ct) => Task.Run(
            () =>
            {
                var options = new ModelFileOptions { HuggingFaceNames = result.GetValue(names), Cancellation = ct };
                using var model = ModelFile.Open(result.GetRequiredValue(input), options);
                IReadOnlyList<string> problems = console.Track("Checking", Bytes(model), progress => ModelChecks.Find(model, progress, ct));
                string? otherPath = result.GetValue(against);
                IReadOnlyList<LayerDifference>? differences = null;
                if (otherPath is not null && problems.Count == 0)
                {
                    using var other = ModelFile.Open(otherPath, options with { IsLinear = ChooseLike(model) });
                    differences = console.Track("Comparing", Bytes(model), progress => Comparison.Compare(model, other, progress, ct));
                }

                var report = new VerifyReport(
                    model.Path, model.Layers.Count(layer => layer.IsQuantized), model.Source.Names.Count, Hashes(model), problems, otherPath, differences, result.GetValue(allowed));
                if (result.GetValue(json))
                {
                    console.WriteJson(report);
                }
                else
                {
                    report.Write(console.Results);
                }

                return problems.Count != 0 ? ExitCode.BadFile : report.IsDifferent ? ExitCode.Different : ExitCode.Success;
            },
            ct));
        return command;
    }

    private static int? Hashes(ModelFile model) =>
        model.Source is PanelSource packed && PackedFile.HasHashes(packed.File) ? packed.File.Names.Count - 1 : null;

    private static long Bytes(ModelFile model) => model.Tensors.Sum(tensor => tensor.ByteLength);

    /// <summary>What is a layer in one model is one in the other, even where it would not usually be quantised.</summary>
    private static Func<string, bool?> ChooseLike(ModelFile model)
    {
        HashSet<string> names = [.. model.Layers.Select(layer => layer.Name)];
        return name => names.Contains(name) ? true : null;
    }
}
