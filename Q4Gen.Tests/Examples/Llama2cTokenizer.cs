using System.Text;

namespace Q4Gen.Tests.Examples;

/// <summary>
/// The tokenizer of llama2.c: SentencePiece's byte-pair encoding by scores. A text starts with token 1 and a space;
/// then the neighbours whose union has the best score are merged until none is a token.
/// A character that is no token becomes its UTF-8 bytes, byte b as token b + 3, even where the vocabulary has no byte
/// tokens: in the one of 105 tokens a line end (10) reads as token 13, "r". The reference figures were taken so.
/// </summary>
internal sealed class Llama2cTokenizer
{
    private const int BeginOfStory = 1;
    private const int FirstByte = 3;

    private readonly List<(string Text, float Score)> _tokens = [];
    private readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal);

    private Llama2cTokenizer(BinaryReader reader)
    {
        reader.ReadInt32();
        while (reader.BaseStream.Position < reader.BaseStream.Length)
        {
            float score = reader.ReadSingle();
            string text = Encoding.UTF8.GetString(reader.ReadBytes(reader.ReadInt32()));
            _ids.TryAdd(text, _tokens.Count);
            _tokens.Add((text, score));
        }
    }

    public static Llama2cTokenizer Open(string path)
    {
        using var reader = new BinaryReader(File.OpenRead(path));
        return new Llama2cTokenizer(reader);
    }

    public int[] Encode(string text)
    {
        List<int> tokens = [BeginOfStory, .. Split(" " + text)];
        while (FindBestMerge(tokens) is (int at, int merged))
        {
            tokens[at] = merged;
            tokens.RemoveAt(at + 1);
        }

        return [.. tokens];
    }

    private IEnumerable<int> Split(string text) =>
        from rune in text.EnumerateRunes()
        from token in _ids.TryGetValue(rune.ToString(), out int id)
            ? [id]
            : Encoding.UTF8.GetBytes(rune.ToString()).Select(value => FirstByte + value)
        select token;

    private (int At, int Merged)? FindBestMerge(List<int> tokens)
    {
        (int, int)? best = null;
        float bestScore = float.NegativeInfinity;
        for (int i = 1; i + 1 < tokens.Count; i++)
        {
            if (_ids.TryGetValue(_tokens[tokens[i]].Text + _tokens[tokens[i + 1]].Text, out int merged) && _tokens[merged].Score > bestScore)
            {
                best = (i, merged);
                bestScore = _tokens[merged].Score;
            }
        }

        return best;
    }
}
