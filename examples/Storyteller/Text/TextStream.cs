namespace Storyteller.Text;

/// <summary>
/// Turns tokens into text one by one. A token may end in the middle of a UTF-8 character; its text then waits for the
/// tokens that complete it.
/// </summary>
public sealed class TextStream(StoryTokenizer tokenizer)
{
    private const char Incomplete = '\uFFFD';

    private readonly List<int> _pending = [];

    /// <summary>The text that is complete with this token; empty where none is.</summary>
    public string Push(int token)
    {
        _pending.Add(token);
        string text = tokenizer.Decode(_pending);
        if (text.EndsWith(Incomplete) && _pending.Count < 4)
        {
            return "";
        }

        _pending.Clear();
        return text;
    }

    /// <summary>What is still waiting at the end.</summary>
    public string Flush()
    {
        string text = tokenizer.Decode(_pending);
        _pending.Clear();
        return text;
    }
}
