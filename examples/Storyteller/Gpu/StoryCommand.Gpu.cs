using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Q4Gen.Gpu;
using Storyteller.Gpu;

namespace Storyteller.Commands;

/// <content>The option <c>--gpu</c>.</content>
public static partial class StoryCommand
{
    private static readonly Option<int?> s_gpu = new("--gpu")
    {
        Description = "Compute the 4-bit layers on a CUDA device: that of an index, or the best one.",
        HelpName = "index",
        Arity = ArgumentArity.ZeroOrOne,
        CustomParser = ParseGpu,
    };

    static partial void AddDeviceOptions(List<Option> options) => options.Add(s_gpu);

    static partial void OpenDevice(ParseResult result, ref ILayerDevice? device) =>
        device = result.GetResult(s_gpu) is null ? null : GpuLayers.Open(result.GetValue(s_gpu));

    static partial void IsDeviceFailure(Exception exception, ref bool isFailure) => isFailure |= exception is GpuOutOfMemoryException;

    private static int? ParseGpu(ArgumentResult result)
    {
        if (result.Tokens is not [Token token, ..])
        {
            return null;
        }

        if (!int.TryParse(token.Value, NumberStyles.None, CultureInfo.InvariantCulture, out int index))
        {
            result.AddError($"--gpu is '{token.Value}'; it must be the index of a CUDA device, or stand alone for the best one.");
        }

        return index;
    }
}
