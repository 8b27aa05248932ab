using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Q4Gen;
using Storyteller.Text;

namespace Storyteller.Commands;

/// <summary>The command line: its options, and one clear sentence for each that cannot be.</summary>
public static partial class StoryCommand
{
    private const int Failure = 1;
    private const int Mistake = 2;

    private static readonly Option<string> s_prompt = new("--prompt")
    {
        Description = "How the story begins.",
        DefaultValueFactory = _ => "Once upon a time",
    };

    private static readonly Option<int> s_tokens = Number(
        "--tokens", "Most tokens to generate, about three letters each.", 400, "a whole number from 1", value => value >= 1);

    private static readonly Option<int> s_seed = Number(
        "--seed", "The same seed tells the same story.", 21, "a whole number", _ => true);

    private static readonly Option<float> s_temperature = Number(
        "--temperature", "Below 1 plainer, above 1 wilder; 0 always takes the likeliest token.", 0.5f,
        "a number from 0", value => value >= 0 && float.IsFinite(value));

    private static readonly Option<float> s_topP = Number(
        "--top-p", "Draw from the likeliest tokens that together reach this probability.", 0.9f,
        "a number above 0 and at most 1", value => value > 0 && value <= 1);

    private static readonly Option<int> s_threads = Number(
        "--threads", "Threads that share a large layer.", Environment.ProcessorCount,
        "a whole number from 1 to 1024", value => value is >= 1 and <= 1024);

    private static readonly Option<int> s_group = Number(
        "--group", "Columns that share a scale: 32, 64 or 128.", StoryModel.DeclaredGroup,
        "32, 64 or 128", value => value is 32 or 64 or 128);

    private static readonly Option<int> s_rounds = Number(
        "--rounds", "Tell the story so many times, print the last, and how long that took.", 1, "a whole number from 1", value => value >= 1);

    private static readonly Option<FileInfo?> s_perplexity = new("--perplexity")
    {
        Description = "Score this text, stories separated by <|endoftext|>, instead of telling one.",
    };

    /// <summary>Runs the program.</summary>
    /// <param name="args">Its arguments.</param>
    /// <param name="output">Gets the story or the scores.</param>
    /// <param name="errors">Gets what is wrong.</param>
    /// <returns>0, or 2 where an option is wrong or asks for a device that is not there, or 1 where the work failed.</returns>
    public static int Run(string[] args, TextWriter output, TextWriter errors)
    {
        ParseResult result = Create().Parse(args);
        if (result.Errors is [ParseError error, ..])
        {
            errors.WriteLine($"{error.Message} See --help.");
            return Mistake;
        }

        try
        {
            return result.Invoke(new InvocationConfiguration { Output = output, Error = errors, EnableDefaultExceptionHandler = false });
        }
        catch (UsageException exception)
        {
            errors.WriteLine(exception.Message);
            return Mistake;
        }
        catch (Exception exception) when (IsFailure(exception))
        {
            errors.WriteLine(exception.Message);
            return Failure;
        }
    }

    private static RootCommand Create()
    {
        var command = new RootCommand("Tells a story with a 1.3M-parameter model in 4 bits, or scores a text with it.");
        List<Option> storyOptions = [s_prompt, s_tokens, s_seed, s_temperature, s_topP, s_group, s_rounds];
        AddDeviceOptions(storyOptions);
        storyOptions.ForEach(command.Options.Add);
        command.Options.Add(s_threads);
        command.Options.Add(s_perplexity);
        command.Validators.Add(result =>
        {
            if (result.GetResult(s_perplexity) is { Implicit: false }
                && storyOptions.Find(option => result.GetResult(option) is { Implicit: false }) is { } unused)
            {
                result.AddError($"--perplexity scores a text at every group and tells no story; leave out {unused.Name}.");
            }
        });
        command.SetAction(Invoke);
        return command;
    }

    private static int Invoke(ParseResult result)
    {
        TextWriter output = result.InvocationConfiguration.Output;
        if (result.GetResult(s_threads) is { Implicit: false })
        {
            Linear4BitThreads.Count = result.GetValue(s_threads);
        }

        if (result.GetValue(s_perplexity) is { } file)
        {
            return PerplexityRun.Run(file, output) ? 0 : Failure;
        }

        var options = new StoryOptions(
            result.GetValue(s_tokens), result.GetValue(s_seed), result.GetValue(s_temperature), result.GetValue(s_topP))
        {
            Rounds = result.GetValue(s_rounds),
        };
        ILayerDevice? opened = null;
        OpenDevice(result, ref opened);
        using ILayerDevice? device = opened;
        StoryRun.Run(result.GetValue(s_prompt)!, options, result.GetValue(s_group), device, output);
        return 0;
    }

    private static bool IsFailure(Exception exception)
    {
        bool isFailure = exception is IOException or UnauthorizedAccessException;
        IsDeviceFailure(exception, ref isFailure);
        return isFailure;
    }

    // Devices are in files of their own: a program that is compiled without them has no option for them.

    /// <summary>Adds the options that choose a device for the layers.</summary>
    static partial void AddDeviceOptions(List<Option> options);

    /// <summary>Opens the device that the options ask for.</summary>
    static partial void OpenDevice(ParseResult result, ref ILayerDevice? device);

    /// <summary>Says where an exception means that a device could not do the work.</summary>
    static partial void IsDeviceFailure(Exception exception, ref bool isFailure);

    private static Option<T> Number<T>(string name, string description, T defaultValue, string expected, Func<T, bool> isValid)
        where T : struct, IParsable<T> => new(name)
        {
            Description = description,
            DefaultValueFactory = _ => defaultValue,
            CustomParser = result =>
            {
                string text = result.Tokens[^1].Value;
                if (!T.TryParse(text, CultureInfo.InvariantCulture, out T value) || !isValid(value))
                {
                    result.AddError($"{name} is '{text}'; it must be {expected}.");
                }

                return value;
            },
        };
}
