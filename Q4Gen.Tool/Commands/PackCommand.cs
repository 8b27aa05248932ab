using System.CommandLine;
using System.Diagnostics;
using Q4Gen.Import;
using Q4Gen.Import.Gguf;
using Q4Gen.Safetensors;
using Q4Gen.Tool.Console;
using Q4Gen.Tool.Pack;

namespace Q4Gen.Tool.Commands;

/// <summary>The command <c>pack</c>: a model in 4 bits into a file whose layers are used in place.</summary>
internal static class PackCommand
{
    public static Command Create(ToolConsole console)
    {
        Argument<string> input = CommonOptions.Input();
        Option<string> output = new("--output", "-o") { Description = "The packed file to write.", HelpName = "OUT", Required = true };
        Option<bool> hash = new("--hash") { Description = "Adds the SHA-256 of every tensor, which 'verify' checks." };
        Option<bool> names = CommonOptions.HuggingFaceNames();
        Option<bool> force = CommonOptions.Force();
        Option<bool> json = CommonOptions.Json();
        var command = new Command("pack", "Writes a model in 4 bits as kernels read it, so that loading it maps the file and copies nothing.") { input, output, hash, names, force, json };
        command.SetAction((result, ct) => Task.Run(
            () =>
            {
                string target = result.GetRequiredValue(output);
                OutputFile.Check(target, result.GetValue(force));
                using var model = ModelFile.Open(result.GetRequiredValue(input), new ModelFileOptions { HuggingFaceNames = result.GetValue(names), Cancellation = ct });
                CheckIsIn4Bits(model);
                var clock = Stopwatch.StartNew();
                console.Track($"Writing {Path.GetFileName(target)}", model.Tensors.Sum(tensor => tensor.ByteLength), progress =>
                {
                    PackedFile.Write(target, model.Source, result.GetValue(hash), progress, ct);
                    return true;
                });
                var report = PackReport.Of(model, target, clock.Elapsed);
                if (result.GetValue(json))
                {
                    console.WriteJson(report);
                }
                else
                {
                    report.Write(console.Results);
                }

                return ExitCode.Success;
            },
            ct));
        return command;
    }

    /// <summary>Packing changes no weight, so what an importer would quantise is not for it.</summary>
    private static void CheckIsIn4Bits(ModelFile model)
    {
        if (!model.Layers.Any(static layer => layer.IsQuantized))
        {
            throw new WeightFormatException($"{model.Path}: has no layer in 4 bits, which is what packing takes; 'q4gen quantize' or 'q4gen convert' makes such a file of it first.");
        }

        if (model.Format == ModelFormat.Gguf && model.Layers.FirstOrDefault(static layer => layer.IsQuantized && !Keeps(layer.Format)) is { } other)
        {
            throw new WeightFormatException($"{model.Path}: layer {SafetensorsText.Quote(other.Name)} is {other.Format}, but packing takes layers in 4 bits and changes no weight; 'q4gen convert' quantises it first.");
        }
    }

    private static bool Keeps(string format) => Enum.TryParse(format, out GgufTensorType type) && GgufLayers.KeepsNibbles(type);
}
