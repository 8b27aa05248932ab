using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Q4Gen;
using Q4Gen.Gpu;
using Storyteller.Text;

namespace Storyteller.Commands;

/// <summary>The command line: its options, and one clear sentence for each that cannot be.</summary>
public static class StoryCommand
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

    private static readonly Option<int?> s_gpu = new("--gpu")
    {
        Description = "Compute the 4-bit layers on a CUDA device: that of an index, or the best one.",
        HelpName = "index",
        Arity = ArgumentArity.ZeroOrOne,
        CustomParser = ParseGpu,
    };

    private static readonly Option<FileInfo?> s_perplexity = new("--perplexity")
    {
        Description = "Score this text, stories separated by <|endoftext|>, instead of telling one.",
    };

    private static readonly Option[] s_storyOptions = [s_prompt, s_tokens, s_seed, s_temperature, s_topP, s_group, s_gpu];

    /// <summary>Runs the program.</summary>
    /// <param name="args">Its arguments.</param>
    /// <param name="output">Gets the story or the scores.</param>
    /// <param name="errors">Gets what is wrong.</param>
    /// <returns>0, or 2 where an option is wrong or asks for a GPU that is not there, or 1 where the work failed.</returns>
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
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or GpuOutOfMemoryException)
        {
            errors.WriteLine(exception.Message);
            return Failure;
        }
    }

    private static RootCommand Create()
    {
        var command = new RootCommand("Tells a story with a 1.3M-parameter model in 4 bits, or scores a text with it.");
        Array.ForEach([.. s_storyOptions, s_threads, s_perplexity], command.Options.Add);
        command.Validators.Add(result =>
        {
            if (result.GetResult(s_perplexity) is { Implicit: false }
                && Array.Find(s_storyOptions, option => result.GetResult(option) is { Implicit: false }) is { } unused)
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
            result.GetValue(s_tokens), result.GetValue(s_seed), result.GetValue(s_temperature), result.GetValue(s_topP));
        using GpuLayers? gpu = result.GetResult(s_gpu) is null ? null : GpuLayers.Open(result.GetValue(s_gpu));
        StoryRun.Run(result.GetValue(s_prompt)!, options, result.GetValue(s_group), gpu, output);
        return 0;
    }

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
