using System.Runtime.InteropServices;
using Q4Gen.Gpu;
using Q4Gen.Tests.Runtime;
using Storyteller;
using Storyteller.Commands;
using Storyteller.Decoding;
using Storyteller.Text;

namespace Q4Gen.Tests.Examples;

/// <summary>The program as its user meets it.</summary>
[Collection(nameof(ThreadingCollection))]
public sealed class StoryCommandTests : IDisposable
{
    private readonly int _threads = Linear4BitThreads.Count;

    public void Dispose() => Linear4BitThreads.Count = _threads;

    [Fact]
    public void Tells_a_story_and_what_told_it()
    {
        (int exitCode, string output, string errors) = Run("--prompt", "One day, a cat", "--tokens", "20");

        Assert.Equal(0, exitCode);
        Assert.Equal("", errors);
        Assert.StartsWith("One day, a cat", output, StringComparison.Ordinal);
        Assert.Contains("20 tokens in ", output, StringComparison.Ordinal);
        Assert.Contains("bytes of weights in 42 layers of 4 bits", output, StringComparison.Ordinal);
        Assert.Contains("6 × Linear4Bit_384x128_g32_", output, StringComparison.Ordinal);
    }

    [Fact]
    public void The_same_seed_tells_the_same_story()
    {
        string first = Story("--seed", "7", "--tokens", "60");

        Assert.Equal(first, Story("--seed", "7", "--tokens", "60"));
        Assert.NotEqual(first, Story("--seed", "8", "--tokens", "60"));
    }

    [Fact]
    public void Of_many_rounds_one_is_printed()
    {
        Assert.Equal(Story("--seed", "7", "--tokens", "30"), Story("--seed", "7", "--tokens", "30", "--rounds", "3"));
    }

    [Fact]
    public void Threads_do_not_change_the_story()
    {
        // A prompt that nearly fills the context is a batch large enough to be shared out.
        string prompt = string.Concat(Enumerable.Repeat("Once upon a time there was a little cat. ", 20));

        string alone = Story("--prompt", prompt, "--tokens", "60", "--threads", "1");

        Assert.Equal(alone, Story("--prompt", prompt, "--tokens", "60", "--threads", "2"));
    }

    [Fact]
    public void A_story_may_be_longer_than_the_context()
    {
        using StoryModel model = EmbeddedModel.Load4Bit();
        var decoder = new Decoder(StoryModel.Config, model.ToDecoderWeights(layer => layer.Forward));
        var teller = new Teller(decoder, EmbeddedModel.CreateTokenizer());
        string prompt = string.Concat(Enumerable.Repeat("Once upon a time there was a little cat. ", 22));
        int[] tokens = teller.EncodePrompt(prompt);
        Assert.InRange(tokens.Length, 200, StoryModel.Config.Context);

        StoryTiming timing = teller.Tell(tokens, new StoryOptions(100, 1, 1.5f, 1), _ => { });

        Assert.Equal(tokens.Length, timing.PromptTokens);
        Assert.True(timing.Tokens == 100 || decoder.Position < tokens.Length + 100, "The story neither ended nor was long enough.");
        Assert.True(decoder.Position > StoryModel.Config.Context, $"The story ended at {decoder.Position}; take another seed.");
    }

    [Theory]
    [InlineData(64)]
    [InlineData(128)]
    public void Another_group_runs_on_other_kernels(int group)
    {
        (int exitCode, string output, _) = Run("--tokens", "5", "--group", $"{group}");

        Assert.Equal(0, exitCode);
        Assert.Contains("(generic)", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--threads", "0", "--threads is '0'")]
    [InlineData("--threads", "1025", "from 1 to 1024")]
    [InlineData("--temperature", "-1", "--temperature is '-1'")]
    [InlineData("--temperature", "NaN", "--temperature is 'NaN'")]
    [InlineData("--top-p", "0", "--top-p is '0'")]
    [InlineData("--top-p", "1.5", "above 0 and at most 1")]
    [InlineData("--tokens", "0", "--tokens is '0'")]
    [InlineData("--tokens", "many", "--tokens is 'many'")]
    [InlineData("--seed", "1.5", "--seed is '1.5'")]
    [InlineData("--group", "48", "32, 64 or 128")]
    [InlineData("--rounds", "0", "--rounds is '0'")]
    [InlineData("--gpu", "first", "--gpu is 'first'")]
    [InlineData("--gpu", "-1", "the index of a CUDA device")]
    [InlineData("--perplexity", "no/such/file", "no/such/file")]
    [InlineData("--story", "x", "'--story'")]
    public void A_wrong_option_gets_one_sentence(string option, string value, string expected)
    {
        (int exitCode, string output, string errors) = Run(option, value);

        Assert.Equal(2, exitCode);
        Assert.Equal("", output);
        Assert.Contains(expected, errors, StringComparison.Ordinal);
        Assert.Single(errors.TrimEnd().Split('\n'));
    }

    [Fact]
    public void A_prompt_beyond_the_context_gets_one_sentence()
    {
        (int exitCode, string output, string errors) = Run("--prompt", string.Concat(Enumerable.Repeat("cat ", 300)));

        Assert.Equal(2, exitCode);
        Assert.Equal("", output);
        Assert.Contains("256", errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--gpu")]
    [InlineData("--gpu", "0")]
    [InlineData("--gpu", "--tokens", "5")]
    public void Without_a_driver_a_gpu_gets_one_sentence(params string[] args)
    {
        Assert.SkipWhen(NativeLibrary.TryLoad(CudaDriver.Library, out _), "This machine has a CUDA driver.");

        (int exitCode, string output, string errors) = Run(args);

        Assert.Equal(2, exitCode);
        Assert.Equal("", output);
        Assert.Contains(CudaDriver.Library, errors, StringComparison.Ordinal);
        Assert.Single(errors.TrimEnd().Split('\n'));
    }

    [Fact]
    public void Perplexity_takes_no_option_of_a_story()
    {
        (int exitCode, _, string errors) = Run("--perplexity", "x.txt", "--seed", "2");

        Assert.Equal(2, exitCode);
        Assert.Contains("leave out --seed", errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Perplexity_of_an_empty_file_gets_one_sentence()
    {
        using var file = new TemporaryText(" \n");

        (int exitCode, _, string errors) = Run("--perplexity", file.Path);

        Assert.Equal(2, exitCode);
        Assert.Contains("no text to score", errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Perplexity_compares_every_group_with_f16_and_unpacked()
    {
        using var file = new TemporaryText("Once upon a time there was a cat.\n<|endoftext|>\nOne day, Tim saw a dog.\n");

        (int exitCode, string output, _) = Run("--perplexity", file.Path);

        string[] lines = output.TrimEnd().Split('\n');
        Assert.Equal(0, exitCode);
        Assert.StartsWith("weights", lines[0], StringComparison.Ordinal);
        Assert.StartsWith("F16", lines[1], StringComparison.Ordinal);
        Assert.Equal(3, lines.Count(line => line.Contains("unpacked ", StringComparison.Ordinal) && line.StartsWith("4-bit", StringComparison.Ordinal)));
        Assert.Equal(9, lines.Length);
    }

    private static string Story(params string[] args)
    {
        (int exitCode, string output, _) = Run(args);
        Assert.Equal(0, exitCode);
        return output[..output.LastIndexOf(" tokens in ", StringComparison.Ordinal)];
    }

    private static (int ExitCode, string Output, string Errors) Run(params string[] args)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var errors = new StringWriter { NewLine = "\n" };
        return (StoryCommand.Run(args, output, errors), output.ToString(), errors.ToString());
    }

    private sealed class TemporaryText : IDisposable
    {
        public TemporaryText(string text) => File.WriteAllText(Path, text);

        public string Path { get; } = System.IO.Path.GetTempFileName();

        public void Dispose() => File.Delete(Path);
    }
}
