using System.Text;
using CsCheck;
using Q4Gen.Tests.Kernels;
using Storyteller;
using Storyteller.Text;

namespace Q4Gen.Tests.Examples;

/// <summary>The tokenizer of the Storyteller.</summary>
public sealed class StoryTokenizerTests
{
    private static readonly StoryTokenizer s_tokenizer = EmbeddedModel.CreateTokenizer();

    [Fact]
    public void Any_text_comes_back()
    {
        foreach (string text in Cases.Take(Gen.String.Where(IsWellFormed), 1000, seed: 4))
        {
            Assert.Equal(text, s_tokenizer.Decode(s_tokenizer.Encode(text)));
        }
    }

    [Fact]
    public void Stories_come_back_token_by_token()
    {
        string text = "Tim said, \"I'll eat 12 crêpes!\"\nThey're   good – ☃ 😀.\n";
        var stream = new TextStream(s_tokenizer);

        string streamed = string.Concat(s_tokenizer.Encode(text).Select(stream.Push)) + stream.Flush();

        Assert.Equal(text, streamed);
    }

    [Fact]
    public void A_character_waits_until_its_bytes_are_there()
    {
        var stream = new TextStream(s_tokenizer);

        string[] pieces = [.. s_tokenizer.Encode("😀").Select(stream.Push)];

        Assert.Equal(["", "", "", "😀"], pieces);
    }

    [Fact]
    public void An_incomplete_character_is_flushed_as_a_replacement()
    {
        var stream = new TextStream(s_tokenizer);
        stream.Push(s_tokenizer.Encode("😀")[0]);

        Assert.Equal("\uFFFD", stream.Flush());
        Assert.Equal("", stream.Flush());
    }

    [Fact]
    public void Merges_are_those_of_training()
    {
        // "Once upon a time" was merged into four words early in training, and "," into none.
        Assert.Equal(["Once", " upon", " a", " time", ","], s_tokenizer.Encode("Once upon a time,").Select(token => s_tokenizer.Decode([token])));
    }

    [Fact]
    public void Separators_become_the_token_that_starts_and_ends_every_story()
    {
        int[] stream = s_tokenizer.EncodeStories("One.\n<|endoftext|>\nTwo.\n<|endoftext|>\n");

        Assert.Equal([0, .. s_tokenizer.Encode("One."), 0, .. s_tokenizer.Encode("Two."), 0], stream);
    }

    [Fact]
    public void A_separator_in_a_prompt_is_text() => Assert.DoesNotContain(0, s_tokenizer.Encode(StoryTokenizer.Separator));

    [Fact]
    public void Held_out_stories_have_as_many_tokens_as_in_training()
    {
        string text = File.ReadAllText(SharedFiles.Find("corpora", "storyteller-heldout.txt"));

        Assert.Equal(13_391, s_tokenizer.EncodeStories(text).Length);
    }

    private static bool IsWellFormed(string text) => !text.EnumerateRunes().Any(rune => rune == Rune.ReplacementChar);
}
