using System.CommandLine;
using Q4Gen.Import;
using Q4Gen.Tool.Console;
using Q4Gen.Tool.Scaffold;

namespace Q4Gen.Tool.Commands;

/// <summary>The command <c>scaffold</c>: the annotated classes for the linear layers of a model.</summary>
internal static class ScaffoldCommand
{
    private const string UsualClass = "Model";

    public static Command Create(ToolConsole console)
    {
        Argument<string> input = CommonOptions.Input();
        Option<string> space = new("--namespace") { Description = "Namespace of the classes.", HelpName = "NS", Required = true };
        Option<string> name = new("--class") { Description = "Name of the class of the whole model.", HelpName = "NAME", DefaultValueFactory = _ => UsualClass };
        Option<int?> group = BenchCommand.Group();
        Option<string?> output = new("--output", "-o") { Description = "The C# file to write; without it, standard output.", HelpName = "FILE" };
        Option<bool> force = CommonOptions.Force();
        Option<bool> names = CommonOptions.HuggingFaceNames();
        Option<bool> json = CommonOptions.Json();
        var command = new Command("scaffold", "Writes the annotated C# classes for the linear layers of a model.") { input, space, name, group, output, force, names, json };
        command.SetAction((result, ct) => Task.Run(
            () =>
            {
                string? target = result.GetValue(output);
                if (target is not null)
                {
                    OutputFile.Check(target, result.GetValue(force));
                }

                string path = result.GetRequiredValue(input);
                using var model = ModelFile.Open(path, new ModelFileOptions { HuggingFaceNames = result.GetValue(names), Cancellation = ct });
                IReadOnlyList<LinearLayer> layers = LayerShapes.WithGroup(model.Layers, result.GetValue(group));
                string fileName = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)));
                string text = ModelScaffold.Write(layers, new ScaffoldOptions(
                    result.GetRequiredValue(space), result.GetRequiredValue(name), fileName, [.. model.Source.Names]));
                if (target is not null)
                {
                    OutputFile.WriteText(target, text);
                }

                if (result.GetValue(json))
                {
                    console.WriteJson(new ScaffoldReport(path, result.GetRequiredValue(space), result.GetRequiredValue(name), layers.Count, target, text));
                }
                else if (target is null)
                {
                    console.Output.Write(text);
                }
                else
                {
                    console.Error.WriteLine($"Wrote {target}: classes for {layers.Count} linear layers.");
                }

                return ExitCode.Success;
            },
            ct));
        return command;
    }
}
