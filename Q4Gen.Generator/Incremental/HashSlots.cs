using System;
using System.Collections.Immutable;
using System.Linq;
using Microsoft.CodeAnalysis;
using Q4Gen.Generator.Model;

namespace Q4Gen.Generator.Incremental;

/// <summary>Gives items of a pipeline places that do not depend on one another.</summary>
internal static class HashSlots
{
    // Several times as many as a large program has items, so that hardly any two share one.
    private const int Count = 1024;

    /// <summary>
    /// Distinct items in slots by the hash of their key. Roslyn compares what a step yields by position: in a plain
    /// sequence, one more property in a file would shift, and so re-emit, everything behind it. Here each item has its
    /// slot whatever else comes or goes, and only a slot whose content changed is looked into again.
    /// </summary>
    public static IncrementalValuesProvider<T> InSlots<T>(this IncrementalValueProvider<ImmutableArray<T>> items, Func<T, string> key)
        where T : class, IEquatable<T> =>
        items.SelectMany((all, _) => Spread(all, key)).SelectMany((slot, _) => slot);

    private static EquatableArray<T>[] Spread<T>(ImmutableArray<T> items, Func<T, string> key)
        where T : class, IEquatable<T>
    {
        var slots = new EquatableArray<T>[Count];
        foreach (IGrouping<int, T> slot in items.Distinct().GroupBy(item => (int)(StableHash.Of(key(item)) % Count)))
        {
            slots[slot.Key] = slot.OrderBy(key, StringComparer.Ordinal).ToEquatableArray();
        }

        return slots;
    }
}
