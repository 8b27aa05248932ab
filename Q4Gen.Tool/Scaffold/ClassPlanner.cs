using System.Globalization;
using Q4Gen.Import;

namespace Q4Gen.Tool.Scaffold;

/// <summary>
/// Decides which classes hold the layers of a tree of names. What branches is a class, what is numbered from 0 without a
/// gap and alike is an array, and what does neither is joined by dots.
/// </summary>
/// <param name="tensorNames">All names that a load will see: it counts an array's elements by them.</param>
internal sealed class ClassPlanner(IReadOnlyCollection<string> tensorNames)
{
    private static readonly string[] s_genericLists = ["layers", "layer", "blocks", "block", "h", "blk"];

    /// <summary>The class of the whole model.</summary>
    public PlannedClass Plan(NameNode root, string name)
    {
        NameNode top = root;
        while (top is { Layer: null, Children.Count: 1 } && top.Children.First() is { IsNumber: false, Children.Count: > 0 } only && !IsList(only))
        {
            top = only;
        }

        return new PlannedClass(name, [.. MembersOf(top, top.Path, isTop: true)], null);
    }

    /// <summary>Members of the class that a node becomes.</summary>
    /// <param name="node">The node.</param>
    /// <param name="prefix">Its name, relative to the class.</param>
    /// <param name="isTop">Whether the class is that of the whole model.</param>
    private IEnumerable<PlannedMember> MembersOf(NameNode node, string prefix, bool isTop = false)
    {
        if (node.Layer is not null)
        {
            yield return new PlannedMember(MemberKind.Layer, prefix, node.Layer, null);
        }

        NameNode[] numbers = [.. node.Children.Where(static child => child.IsNumber)];
        PlannedClass[]? elements = node.Layer is null ? TryElements(node, numbers) : null;
        if (elements is not null)
        {
            yield return new PlannedMember(MemberKind.Array, prefix, null, elements[0], elements.Length);
        }

        foreach (NameNode child in node.Children.Where(child => elements is null || !child.IsNumber))
        {
            string name = ModelLoad.Join(prefix, child.Part);
            IEnumerable<PlannedMember> members = isTop && IsTransparent(child) ? MembersOf(child, name) : MembersFor(child, name);
            foreach (PlannedMember member in members)
            {
                yield return member;
            }
        }
    }

    /// <summary>What the class around a node holds for it.</summary>
    private IEnumerable<PlannedMember> MembersFor(NameNode node, string name)
    {
        if (node is { Layer: not null, Children.Count: 0 })
        {
            return [new PlannedMember(MemberKind.Layer, name, node.Layer, null)];
        }

        if (IsList(node))
        {
            return TryElements(node, [.. node.Children]) is { } elements
                ? [new PlannedMember(MemberKind.Array, name, null, elements[0], elements.Length)]
                : node.Children.SelectMany(child => MembersFor(child, ModelLoad.Join(name, child.Part)));
        }

        if (node is { Layer: null, Children.Count: 1 })
        {
            NameNode only = node.Children.First();
            return MembersFor(only, ModelLoad.Join(name, only.Part));
        }

        bool isElement = node.IsNumber;
        string suggestion = isElement ? SuggestElement(node.Path) : Identifiers.StartWithLetter(ModelWords.ClassOf(node.Part), "Part");
        var planned = new PlannedClass(suggestion, [.. MembersOf(node, "")], null) { ElementNumber = isElement ? node.Part : null };
        return [new PlannedMember(MemberKind.Child, name, null, planned)];
    }

    /// <summary>The classes of elements that can be an array, all alike; null where they cannot.</summary>
    private PlannedClass[]? TryElements(NameNode node, NameNode[] numbers)
    {
        if (numbers.Length == 0 || !AreCounted(node.Path, numbers))
        {
            return null;
        }

        string suggestion = SuggestElement(numbers[0].Path);
        PlannedClass[] elements = [.. numbers.Select(element =>
            element is { Layer: not null, Children.Count: 0 }
                ? new PlannedClass(suggestion, [], element.Layer)
                : new PlannedClass(suggestion, [.. MembersOf(element, "")], null))];
        return elements.All(element => element.Signature == elements[0].Signature) ? elements : null;
    }

    /// <summary>Whether a load finds these elements, 0, 1, … without a gap, and no others.</summary>
    private bool AreCounted(string path, NameNode[] numbers)
    {
        for (int i = 0; i < numbers.Length; i++)
        {
            if (numbers[i].Part != i.ToString(CultureInfo.InvariantCulture))
            {
                return false;
            }
        }

        string start = path.Length == 0 ? "" : path + ".";
        foreach (string name in tensorNames)
        {
            int end = name.Length > start.Length && name.StartsWith(start, StringComparison.Ordinal) ? name.IndexOf('.', start.Length) : -1;
            if (end >= 0
                && int.TryParse(name.AsSpan(start.Length, end - start.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int index)
                && index >= numbers.Length)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Whether a node is nothing but numbered elements.</summary>
    private static bool IsList(NameNode node) => node is { Layer: null, Children.Count: > 0 } && node.Children.All(static child => child.IsNumber);

    /// <summary>Whether a node at the top says nothing about what is in it, so that a class of its own would neither.</summary>
    private static bool IsTransparent(NameNode node) =>
        ModelWords.IsWrapper(node.Part) && node is { Layer: null } && !node.Children.Any(static child => child.IsNumber);

    /// <summary><c>bert.encoder.layer.0</c> → <c>EncoderLayer</c>, <c>model.layers.0</c> → <c>Block</c>, <c>experts.0</c> → <c>Expert</c>.</summary>
    private static string SuggestElement(string path)
    {
        string[] parts = path.Split('.');
        int list = parts.Length - 2;
        string word = list < 0 ? "" : parts[list];
        if (list < 0 || NameNode.IsIndex(word))
        {
            return "Element";
        }

        if (!s_genericLists.Contains(word))
        {
            return Identifiers.StartWithLetter(ModelWords.ClassOf(ModelWords.Singular(word)), "Element");
        }

        int context = list - 1;
        while (context >= 0 && ModelWords.IsWrapper(parts[context]))
        {
            context--;
        }

        string before = context < 0 || NameNode.IsIndex(parts[context]) ? "" : Identifiers.Pascal(parts[context]);
        return before.Length > 0 && char.IsLetter(before[0]) ? before + Identifiers.Pascal(ModelWords.Singular(word)) : "Block";
    }
}
