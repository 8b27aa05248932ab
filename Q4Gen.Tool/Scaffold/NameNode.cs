using System.Globalization;
using Q4Gen.Import;

namespace Q4Gen.Tool.Scaffold;

/// <summary>A part of layers' names, between dots, with the parts that follow it.</summary>
internal sealed class NameNode
{
    // More than models nest by far, and few enough that walking them cannot exhaust the stack.
    private const int MaxParts = 64;

    private readonly SortedDictionary<string, NameNode> _children = new(PartOrder.Instance);

    private NameNode(string part, string path)
    {
        Part = part;
        Path = path;
    }

    /// <summary>The part; of the root empty.</summary>
    public string Part { get; }

    /// <summary>The whole name up to here.</summary>
    public string Path { get; }

    /// <summary>The layer of this name; null where it only begins the names of others.</summary>
    public LinearLayer? Layer { get; private set; }

    /// <summary>What follows: numbers first, in their order, then words as a reader of models expects them.</summary>
    public IReadOnlyCollection<NameNode> Children => _children.Values;

    /// <summary>Whether the part is a number as lists of layers have it: without sign and leading zeros.</summary>
    public bool IsNumber => IsIndex(Part);

    /// <summary>The layers' names as a tree.</summary>
    /// <exception cref="WeightFormatException">Two layers have one name, or a name has too many parts.</exception>
    public static NameNode Parse(IReadOnlyList<LinearLayer> layers, string file)
    {
        var root = new NameNode("", "");
        foreach (LinearLayer layer in layers)
        {
            NameNode node = root;
            List<string> parts = Split(layer.Name);
            if (parts.Count > MaxParts)
            {
                throw new WeightFormatException(
                    $"{file}: the name of layer '{layer.Name[..100]}…' has {parts.Count} parts between dots, but classes nest {MaxParts} deep at most; rename it.");
            }

            foreach (string part in parts)
            {
                if (!node._children.TryGetValue(part, out NameNode? child))
                {
                    child = new NameNode(part, ModelLoad.Join(node.Path, part));
                    node._children.Add(part, child);
                }

                node = child;
            }

            node.Layer = node.Layer is null
                ? layer
                : throw new WeightFormatException($"{file}: two layers are called '{layer.Name}'; rename one.");
        }

        return root;
    }

    /// <summary>The layers here and below.</summary>
    public IEnumerable<LinearLayer> Layers() =>
        (Layer is null ? Enumerable.Empty<LinearLayer>() : [Layer]).Concat(Children.SelectMany(static child => child.Layers()));

    /// <summary>Whether a part is a number as lists of layers have it.</summary>
    public static bool IsIndex(string part) =>
        int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int value)
        && value.ToString(CultureInfo.InvariantCulture) == part;

    /// <summary>Parts between dots. A dot without a name on both sides stays in its part, because joining would lose it.</summary>
    private static List<string> Split(string name)
    {
        var parts = new List<string>();
        int start = 0;
        for (int i = 1; i < name.Length - 1; i++)
        {
            if (name[i] == '.' && name[i - 1] != '.' && name[i + 1] != '.')
            {
                parts.Add(name[start..i]);
                start = i + 1;
            }
        }

        if (name.Length > 0)
        {
            parts.Add(name[start..]);
        }

        return parts;
    }

    /// <summary>Numbers by value, then words by their place in models, then by their letters: the same for every order of a file.</summary>
    private sealed class PartOrder : IComparer<string>
    {
        public static readonly PartOrder Instance = new();

        public int Compare(string? x, string? y)
        {
            (int Rank, int Number) a = Key(x!), b = Key(y!);
            int order = a.CompareTo(b);
            return order != 0 ? order : string.CompareOrdinal(x, y);
        }

        private static (int Rank, int Number) Key(string part) =>
            IsIndex(part) ? (-1, int.Parse(part, CultureInfo.InvariantCulture)) : (ModelWords.RankOf(part), 0);
    }
}
