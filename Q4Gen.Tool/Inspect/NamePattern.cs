using System.Globalization;

namespace Q4Gen.Tool.Inspect;

/// <summary>
/// Names of many blocks as one: <c>model.layers.{0-31}.mlp.up_proj.weight</c>. Names that differ in their first number only
/// are put together.
/// </summary>
internal static class NamePattern
{
    /// <summary>Items in their order, each with those like it.</summary>
    /// <param name="items">What has names.</param>
    /// <param name="nameOf">The name of one.</param>
    /// <param name="detailsOf">What must be equal besides.</param>
    public static IReadOnlyList<(string Name, T Item, int Count)> Group<T>(
        IEnumerable<T> items, Func<T, string> nameOf, Func<T, string> detailsOf)
    {
        var groups = new Dictionary<(string Before, string After, string Details), List<(int Number, T Item)>>();
        foreach (T item in items)
        {
            (string before, int number, string after) = Split(nameOf(item));
            (string, string, string) key = (before, after, detailsOf(item));
            if (!groups.TryGetValue(key, out List<(int, T)>? group))
            {
                groups.Add(key, group = []);
            }

            group.Add((number, item));
        }

        return [.. groups.Select(group => (Join(group.Key.Before, group.Value.Select(entry => entry.Number), group.Key.After), group.Value[0].Item, group.Value.Count))];
    }

    /// <summary>The name around its first number; −1 where it has none.</summary>
    private static (string Before, int Number, string After) Split(string name)
    {
        string[] parts = name.Split('.');
        for (int i = 0; i < parts.Length; i++)
        {
            if (int.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out int number))
            {
                return (string.Concat(parts.Take(i).Select(part => part + ".")), number, string.Concat(parts.Skip(i + 1).Select(part => "." + part)));
            }
        }

        return (name, -1, "");
    }

    private static string Join(string before, IEnumerable<int> numbers, string after)
    {
        int[] sorted = [.. numbers.Order()];
        return sorted is [-1] ? before : sorted is [var only] ? $"{before}{only}{after}" : $"{before}{{{Ranges(sorted)}}}{after}";
    }

    private static string Ranges(int[] sorted)
    {
        var ranges = new List<string>();
        for (int first = 0; first < sorted.Length;)
        {
            int last = first;
            while (last + 1 < sorted.Length && sorted[last + 1] == sorted[last] + 1)
            {
                last++;
            }

            ranges.Add(last == first ? $"{sorted[first]}" : $"{sorted[first]}-{sorted[last]}");
            first = last + 1;
        }

        return string.Join(",", ranges);
    }
}
