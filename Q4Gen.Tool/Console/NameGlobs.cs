using System.IO.Enumeration;

namespace Q4Gen.Tool.Console;

/// <summary>
/// Layers by name: <c>--include</c> adds to what is usually quantised, or is all of it where it is given alone, and
/// <c>--exclude</c> takes away. <c>*</c> stands for any characters, dots too, <c>?</c> for one.
/// </summary>
internal sealed class NameGlobs(IReadOnlyList<string> include, IReadOnlyList<string> exclude)
{
    private readonly HashSet<string> _used = [];
    private bool _asked;

    /// <summary>Whether a layer is chosen; null where the patterns leave it to the usual choice.</summary>
    public bool? Choose(string name)
    {
        _asked = true;
        bool included = Match(include, name), excluded = Match(exclude, name);
        return excluded ? false : include.Count == 0 ? null : included;
    }

    /// <summary>
    /// Throws where a pattern has matched nothing: most likely it is misspelt. To be called where opening a model failed as
    /// well, for that may be the reason; where no name was asked for, it was not.
    /// </summary>
    /// <exception cref="UsageException">One has.</exception>
    public void CheckAllUsed(string path, bool hasFailed = false)
    {
        if (hasFailed && !_asked)
        {
            return;
        }

        foreach ((string option, string pattern) in include.Select(p => ("--include", p)).Concat(exclude.Select(p => ("--exclude", p))))
        {
            if (!_used.Contains(pattern))
            {
                throw new UsageException(
                    $"{option} '{pattern}' matches no layer of {path} that could be quantised; '*' stands for any characters, and 'q4gen inspect' lists the layers. What a file has in 4 bits already is always taken.");
            }
        }
    }

    private bool Match(IReadOnlyList<string> patterns, string name)
    {
        bool any = false;
        foreach (string pattern in patterns)
        {
            if (FileSystemName.MatchesSimpleExpression(pattern, name, ignoreCase: false))
            {
                // All of them, so that each counts as used.
                _used.Add(pattern);
                any = true;
            }
        }

        return any;
    }
}
