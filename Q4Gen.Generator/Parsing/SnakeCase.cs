using System.Text;

namespace Q4Gen.Generator.Parsing;

/// <summary>Tensor names from member names.</summary>
internal static class SnakeCase
{
    /// <summary>
    /// Lower case with an underscore before each word: <c>GateProj</c> → <c>gate_proj</c>. A word begins at an upper-case
    /// letter that follows a lower-case one, or that follows an upper-case letter or a digit and has a lower-case one
    /// behind it: <c>LMHead</c> → <c>lm_head</c>, <c>Layer2Norm</c> → <c>layer2_norm</c>, but <c>W1</c> → <c>w1</c>,
    /// <c>MLP</c> → <c>mlp</c>, <c>Conv2D</c> → <c>conv2d</c>. Underscores stay, except leading ones.
    /// </summary>
    public static string From(string name)
    {
        name = name.TrimStart('_');
        var text = new StringBuilder(name.Length + 4);
        for (int i = 0; i < name.Length; i++)
        {
            char c = name[i];
            if (i > 0 && char.IsUpper(c))
            {
                char previous = name[i - 1];
                bool isFollowedByLower = i + 1 < name.Length && char.IsLower(name[i + 1]);
                if (char.IsLower(previous) || (isFollowedByLower && (char.IsUpper(previous) || char.IsDigit(previous))))
                {
                    text.Append('_');
                }
            }

            text.Append(char.ToLowerInvariant(c));
        }

        return text.ToString();
    }
}
