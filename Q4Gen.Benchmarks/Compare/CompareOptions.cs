using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Q4Gen.Benchmarks.Compare;

/// <summary>Options that say what to measure and where to write it, all checked before anything is measured.</summary>
internal static partial class CompareOptions
{
    /// <summary>The least number of rounds: the median of fewer says little.</summary>
    public const int MinRounds = 15;

    private const int MaxRows = 65_536;

    /// <summary>One message of the model format, and one array, must hold the weights.</summary>
    private const long MaxWeightBytes = 1 << 30;

    private const int MinGroup = 16;

    /// <summary>Beyond it ONNX Runtime has no kernel for 4-bit blocks and dequantises all weights in each call.</summary>
    private const int MaxGroup = 256;

    /// <summary>Shapes to measure; <paramref name="standard"/> where none is given.</summary>
    public static Option<Linear4BitShape[]> Shapes(string name, Func<Linear4BitShape[]> standard) => List(
        name, "Shapes as INxOUTgGROUP, separated by commas.", standard, ParseShape);

    /// <summary>Rows of x, M, to measure.</summary>
    public static Option<int[]> Rows(Func<int[]> standard) => List(
        "--rows", $"Rows of x (M), 1 to {MaxRows}, separated by commas.", standard,
        static (text, addError) => ParseNumber("--rows", text, MaxRows, $"numbers of rows from 1 to {MaxRows}, such as 1,8,64", addError));

    /// <summary>Numbers of threads to measure.</summary>
    public static Option<int[]> Threads() => List(
        "--threads", "Threads a call, separated by commas; all processors where nothing is said.", static () => [Environment.ProcessorCount],
        static (text, addError) => ParseNumber("--threads", text, Environment.ProcessorCount,
            $"numbers of threads from 1 to the {Environment.ProcessorCount} processors of this machine", addError));

    /// <summary>Rounds of which medians are taken.</summary>
    public static Option<int> Rounds()
    {
        var option = new Option<int>("--rounds")
        {
            Description = $"Interleaved rounds, of which medians are taken; at least {MinRounds}.",
            DefaultValueFactory = static _ => MinRounds,
        };
        option.Validators.Add(static result =>
        {
            if (result.Tokens.Count == 1 && (!int.TryParse(result.Tokens[0].Value, out int rounds) || rounds < MinRounds))
            {
                result.AddError($"--rounds is '{result.Tokens[0].Value}', but must be a number from {MinRounds} on: the median of fewer rounds says little.");
            }
        });
        return option;
    }

    /// <summary>A file to write, with one of the given extensions; its folder must exist and let us write.</summary>
    public static Option<string?> OutputFile(string name, string description, params string[] extensions)
    {
        var option = new Option<string?>(name) { Description = description, HelpName = "FILE" };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && DescribeProblem(result.Tokens[0].Value, extensions) is { } problem)
            {
                result.AddError($"{name} is '{result.Tokens[0].Value}', {problem}");
            }
        });
        return option;
    }

    /// <summary>A shape from <c>4096x11008g128</c>; null, with an error, where it is none that all engines can run.</summary>
    public static Linear4BitShape? ParseShape(string text, Action<string> addError)
    {
        Match match = ShapeText().Match(text);
        if (!match.Success
            || !int.TryParse(match.Groups["in"].ValueSpan, out int inFeatures)
            || !int.TryParse(match.Groups["out"].ValueSpan, out int outFeatures)
            || !int.TryParse(match.Groups["group"].ValueSpan, out int group))
        {
            addError($"'{text}' is no shape; write INxOUTgGROUP, such as 4096x11008g128.");
            return null;
        }

        var shape = new Linear4BitShape(inFeatures, outFeatures, group);
        try
        {
            shape.Validate();
        }
        catch (ArgumentOutOfRangeException exception)
        {
            addError($"No layer has shape '{text}': {exception.Message.Split(" (Parameter")[0]}");
            return null;
        }

        if (group is < MinGroup or > MaxGroup || !int.IsPow2(group))
        {
            addError($"'{text}' has groups of {group}, but ONNX Runtime computes fast with 16, 32, 64, 128 and 256 only; choose one of them.");
            return null;
        }

        if (inFeatures % group != 0)
        {
            addError($"'{text}' has {inFeatures} columns, which are no whole number of groups of {group}, as ONNX Runtime stores them; choose In as a multiple of {group}.");
            return null;
        }

        if (shape.WeightBytes > MaxWeightBytes)
        {
            addError($"'{text}' takes {shape.WeightBytes:N0} bytes of weights, but at most {MaxWeightBytes:N0} fit in one model; choose a smaller one.");
            return null;
        }

        return shape;
    }

    /// <summary>A list by commas, without what is there twice; null where none is given.</summary>
    internal static Option<T[]?> OptionalList<T>(string name, string description, Func<string, Action<string>, T?> parse)
        where T : struct => new(name) { Description = description, CustomParser = result => ParseList(result, parse) };

    /// <summary>A number from 1 to <paramref name="max"/>; null, with an error that says what the option takes, where it is none.</summary>
    internal static int? ParseNumber(string option, string text, int max, string expected, Action<string> addError)
    {
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value >= 1 && value <= max)
        {
            return value;
        }

        addError($"{option} has '{text}', but takes {expected}.");
        return null;
    }

    private static Option<T[]> List<T>(
        string name, string description, Func<T[]> standard, Func<string, Action<string>, T?> parse)
        where T : struct => new(name)
        {
            Description = description,
            DefaultValueFactory = _ => standard(),
            CustomParser = result => ParseList(result, parse)!,
        };

    private static T[]? ParseList<T>(ArgumentResult result, Func<string, Action<string>, T?> parse)
        where T : struct
    {
        string text = string.Concat(result.Tokens.Select(static token => token.Value));
        var values = new List<T>();
        foreach (string item in text.Split(',', StringSplitOptions.TrimEntries))
        {
            if (parse(item, result.AddError) is not { } value)
            {
                return null;
            }

            values.Add(value);
        }

        return [.. values.Distinct()];
    }

    private static string? DescribeProblem(string path, string[] extensions)
    {
        if (!extensions.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase))
        {
            return $"but its name must end in {string.Join(" or ", extensions)}.";
        }

        if (Directory.Exists(path))
        {
            return "which is a folder; name a file.";
        }

        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        if (!Directory.Exists(folder))
        {
            return $"but there is no folder '{folder}'; create it first.";
        }

        try
        {
            using var probe = new FileStream(
                OutputFiles.TemporaryName(path), FileMode.CreateNew, FileAccess.Write, FileShare.None, 1, FileOptions.DeleteOnClose);
            return null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return $"but its folder cannot be written to: {exception.Message}";
        }
    }

    [GeneratedRegex("^(?<in>[0-9]+)x(?<out>[0-9]+)g(?<group>[0-9]+)$", RegexOptions.CultureInvariant)]
    private static partial Regex ShapeText();
}
