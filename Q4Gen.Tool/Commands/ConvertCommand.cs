using System.CommandLine;
using Q4Gen.Tool.Console;

namespace Q4Gen.Tool.Commands;

/// <summary>The command <c>convert</c>: a model of any format into a safetensors file with layers in 4 bits.</summary>
internal static class ConvertCommand
{
    public static Command Create(ToolConsole console) => ConversionCommand.Create(
        console,
        "convert",
        "Writes a model of any format as safetensors with layers in 4 bits: exactly where the format allows it, else with the error of each layer.",
        usualMethod: "signed-max",
        check: static _ => { });
}
