using System.CommandLine;
using System.Globalization;
using System.Text.RegularExpressions;
using CompareOptions = Q4Gen.Benchmarks.Compare.CompareOptions;

namespace Q4Gen.Benchmarks.Gpu;

/// <summary>Options of <c>gpu</c>, all checked before anything is measured; in the words of scripts/gpu_peers.py.</summary>
internal static partial class GpuOptions
{
    private const int MaxRows = 65_536;
    private const int MaxDevice = 1023;

    /// <summary>Shapes to verify and time; null where none is given.</summary>
    public static Option<Linear4BitShape[]?> Shapes() => CompareOptions.OptionalList(
        "--shapes", "Shapes as INxOUTxGROUP, separated by commas, such as 4096x11008x128.", ParseShape);

    /// <summary>Rows of x, M, to time; null where none is given.</summary>
    public static Option<int[]?> Rows() => CompareOptions.OptionalList(
        "--m", $"Rows of x (M), 1 to {MaxRows}, separated by commas.",
        static (text, addError) => CompareOptions.ParseNumber("--m", text, MaxRows, $"numbers of rows from 1 to {MaxRows}, such as 1,8,64", addError));

    /// <summary>A device's index; null for the best one.</summary>
    public static Option<int?> Device()
    {
        var option = new Option<int?>("--device") { Description = "The CUDA device; the newest and largest where nothing is said.", HelpName = "N" };
        option.Validators.Add(static result =>
        {
            if (result.Tokens.Count == 1
                && !(int.TryParse(result.Tokens[0].Value, NumberStyles.None, CultureInfo.InvariantCulture, out int index) && index <= MaxDevice))
            {
                result.AddError($"--device is '{result.Tokens[0].Value}', but must be a CUDA device's index, from 0 on.");
            }
        });
        return option;
    }

    /// <summary>A shape from <c>4096x11008x128</c>; null, with an error, where it is none that kernels were generated for.</summary>
    private static Linear4BitShape? ParseShape(string text, Action<string> addError)
    {
        Match match = ShapeText().Match(text);
        if (!match.Success
            || !int.TryParse(match.Groups["in"].ValueSpan, out int inFeatures)
            || !int.TryParse(match.Groups["out"].ValueSpan, out int outFeatures)
            || !int.TryParse(match.Groups["group"].ValueSpan, out int group))
        {
            addError($"'{text}' is no shape; write INxOUTxGROUP, such as 4096x11008x128.");
            return null;
        }

        var shape = new Linear4BitShape(inFeatures, outFeatures, group);
        if (GpuLayers.All.Contains(shape))
        {
            return shape;
        }

        string known = string.Join(", ", GpuLayers.All.Select(static s => FormattableString.Invariant($"{s.In}x{s.Out}x{s.Group}")));
        addError($"'{text}' is not compiled into this program, whose kernels are generated ahead; choose among {known}, or annotate a class in GpuLayers.cs.");
        return null;
    }

    [GeneratedRegex("^(?<in>[0-9]+)x(?<out>[0-9]+)[xg](?<group>[0-9]+)$", RegexOptions.CultureInvariant)]
    private static partial Regex ShapeText();
}
