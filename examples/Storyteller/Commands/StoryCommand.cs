using System.CommandLine;
using System.CommandLine.Parsing;
using Q4Gen;

namespace Storyteller.Commands;

/// <summary>The command line: its options, and one clear sentence for each that cannot be.</summary>
public static class StoryCommand
{
    private const int Mistake = 2;
    private const int Failure = 1;

    private static readonly int[] s_groups = [32, 64, 128];

    private static readonly Option<string> s_prompt = new("--prompt")
    {
        Description = "How the story begins.",
        DefaultValueFactory = _ => "Once upon a time",
    };

    private static readonly Option<int> s_tokens = new("--tokens")
    {
        Description = "Most tokens to generate, about three letters each.",
        DefaultValueFactory = _ => 400,
    };

    private static readonly Option<int> s_seed = new("--seed")
    {
        Description = "The same seed tells the same story.",
        DefaultValueFactory = _ => 1,
    };

    private static readonly Option<float> s_temperature = new("--temperature")
    {
        Description = "Below 1 plainer, above 1 wilder; 0 always takes the likeliest token.",
        DefaultValueFactory = _ => 0.6f,
    };

    private static readonly Option<float> s_topP = new("--top-p")
    {
        Description = "Draw from the likeliest tokens that together reach this probability.",
        DefaultValueFactory = _ => 0.9f,
    };

    private static readonly Option<int> s_threads = new("--threads")
    {
        Description = "Threads that share a large layer.",
        DefaultValueFactory = _ => Linear4BitThreads.Count,
    };

    private static readonly Option<int> s_group = new("--group")
    {
        Description = "Columns that share a scale: 32, 64 or 128.",
        DefaultValueFactory = _ => StoryModel.DeclaredGroup,
    };

    private static readonly Option<FileInfo?> s_perplexity = new("--perplexity")
    {
        Description = "Score this text, stories separated by <|endoftext|>, instead of telling one.",
    };

    /// <summary>Runs the program.</summary>
    /// <param name="args">Its arguments.</param>
    /// <param name="output">Gets the story or the scores.</param>
    /// <param name="errors">Gets what is wrong.</param>
    /// <returns>0, or 2 where an option is wrong, or 1 where the work failed.</returns>
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
        catch (Exception exception) when (exception is UsageException or IOException or UnauthorizedAccessException)
        {
            errors.WriteLine(exception.Message);
            return exception is UsageException ? Mistake : Failure;
        }
    }

    private static RootCommand Create()
    {
        Check(s_tokens, value => value >= 1, "at least 1");
        Check(s_temperature, value => value >= 0 && float.IsFinite(value), "0 or above");
        Check(s_topP, value => value > 0 && value <= 1, "above 0 and at most 1");
        Check(s_threads, value => value is >= 1 and <= 1024, "from 1 to 1024");
        Check(s_group, value => s_groups.Contains(value), "32, 64 or 128");

        Option[] storyOptions = [s_prompt, s_tokens, s_seed, s_temperature, s_topP, s_group];
        var command = new RootCommand("Tells a story with a 1.3M-parameter model in 4 bits, or scores a text with it.");
        Array.ForEach(storyOptions, command.Options.Add);
        command.Options.Add(s_threads);
        command.Options.Add(s_perplexity);
        command.Validators.Add(result =>
        {
            if (result.GetResult(s_perplexity) is { Implicit: false }
                && storyOptions.FirstOrDefault(option => result.GetResult(option) is { Implicit: false }) is { } story)
            {
                result.AddError($"--perplexity scores a text at every group and tells no story; leave out {story.Name}.");
            }
        });

        command.SetAction(result =>
        {
            TextWriter output = result.InvocationConfiguration.Output;
            Linear4BitThreads.Count = result.GetValue(s_threads);
            if (result.GetValue(s_perplexity) is { } file)
            {
                return PerplexityRun.Run(file, output) ? 0 : Failure;
            }

            StoryRun.Run(
                result.GetValue(s_prompt)!,
                new Text.StoryOptions(result.GetValue(s_tokens), result.GetValue(s_seed), result.GetValue(s_temperature), result.GetValue(s_topP)),
                result.GetValue(s_group),
                output);
            return 0;
        });
        return command;
    }

    private static void Check<T>(Option<T> option, Func<T, bool> isValid, string expected)
    {
        option.Validators.Add(result =>
        {
            // A value that cannot be parsed has an error of its own.
            if (!result.Implicit && result.Errors.Any() == false && !isValid(result.GetValueOrDefault<T>()))
            {
                result.AddError($"{option.Name} is {result.Tokens[^1].Value}; it must be {expected}.");
            }
        });
    }
}
