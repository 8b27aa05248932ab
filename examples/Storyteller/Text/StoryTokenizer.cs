using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.ML.Tokenizers;

namespace Storyteller.Text;

/// <summary>Byte-level byte-pair encoding as GPT-2 has it, with this model's vocabulary.</summary>
public sealed partial class StoryTokenizer
{
    /// <summary>What stands between stories in a text; as a token, <see cref="EndOfText"/>.</summary>
    public const string Separator = "<|endoftext|>";

    /// <summary>The token that starts and ends every story.</summary>
    public const int EndOfText = 0;

    private readonly BpeTokenizer _tokenizer;

    /// <summary>Reads the two files of the tokenizer.</summary>
    /// <param name="vocabularyJson">The text of <c>vocab.json</c>: tokens with their ids.</param>
    /// <param name="mergesText">The text of <c>merges.txt</c>: pairs, most frequent first, behind a line with the version.</param>
    public StoryTokenizer(string vocabularyJson, string mergesText)
    {
        var vocabulary = JsonSerializer.Deserialize(vocabularyJson, TokenizerJson.Default.DictionaryStringInt32)!;
        _tokenizer = BpeTokenizer.Create(new BpeOptions(vocabulary)
        {
            Merges = mergesText.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(line => !line.StartsWith("#version", StringComparison.Ordinal)),
            PreTokenizer = new RegexPreTokenizer(Words(), specialTokens: null),
            ByteLevel = true,
        });
    }

    /// <summary>The tokens of a text. <see cref="Separator"/> has no special meaning here.</summary>
    public IReadOnlyList<int> Encode(string text) => _tokenizer.EncodeToIds(text);

    /// <summary>The text of tokens; a character of which bytes are missing becomes U+FFFD.</summary>
    public string Decode(IEnumerable<int> tokens) => _tokenizer.Decode(tokens);

    /// <summary>Stories between separators as one stream, in which <see cref="EndOfText"/> starts and ends every story.</summary>
    public int[] EncodeStories(string text)
    {
        List<int> stream = [EndOfText];
        foreach (string story in text.Split(Separator, StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            stream.AddRange(Encode(story));
            stream.Add(EndOfText);
        }

        return [.. stream];
    }

    [GeneratedRegex(@"'s|'t|'re|'ve|'m|'ll|'d| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+", RegexOptions.CultureInvariant)]
    private static partial Regex Words();
}
