using System.CommandLine;
using Q4Gen.Import;
using Q4Gen.Tool.Console;
using Q4Gen.Tool.Convert;

namespace Q4Gen.Tool.Commands;

/// <summary>What <c>convert</c> and <c>quantize</c> have in common.</summary>
internal static class ConversionCommand
{
    public static Command Create(ToolConsole console, string name, string description, string usualMethod, Action<ModelFile> check)
    {
        Argument<string> input = CommonOptions.Input("IN");
        Argument<string> output = new("OUT") { Description = "The safetensors file to write." };
        var quantization = new QuantizationArguments(usualMethod);
        Option<bool> names = CommonOptions.HuggingFaceNames();
        Option<bool> force = CommonOptions.Force();
        Option<bool> json = CommonOptions.Json();
        var command = new Command(name, description) { input, output, names, force, json };
        quantization.AddTo(command);
        command.SetAction((result, ct) => Task.Run(
            () =>
            {
                var request = new ConversionRequest(
                    result.GetRequiredValue(input),
                    result.GetRequiredValue(output),
                    quantization.Group(result),
                    quantization.Method(result),
                    quantization.Affine(result),
                    quantization.Importance(result),
                    quantization.Globs(result),
                    result.GetValue(names),
                    result.GetValue(force));
                ConversionReport report = Conversion.Run(request, console, check, ct);
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
}
