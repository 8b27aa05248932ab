using System.CommandLine;
using Q4Gen.Import;
using Q4Gen.Safetensors;
using Q4Gen.Tool.Console;

namespace Q4Gen.Tool.Commands;

/// <summary>The command <c>quantize</c>: a model of floats into 4 bits, with the scale search unless told otherwise.</summary>
internal static class QuantizeCommand
{
    private static readonly string[] s_floats = ["F32", "F16", "BF16"];

    public static Command Create(ToolConsole console) => ConversionCommand.Create(
        console, "quantize", "Quantises the linear layers of a model of floats, by the scale search unless told otherwise.", usualMethod: "search", Check);

    /// <summary>Quantising what was quantised before adds the errors of both, which nobody would notice.</summary>
    private static void Check(ModelFile model)
    {
        if (model.Converted.Count == 0)
        {
            throw new UsageException($"{model.Path}: its layers are in 4 bits already; quantise the model that they were made from.");
        }

        if (model.Converted.FirstOrDefault(layer => !s_floats.Contains(layer.SourceFormat)) is { } quantized)
        {
            throw new UsageException(
                $"{model.Path}: layer {SafetensorsText.Quote(quantized.Name)} is {quantized.SourceFormat}, but quantize is for floats; 'q4gen convert' takes what is quantised already.");
        }
    }
}
