using System;
using System.Linq;
using Microsoft.CodeAnalysis;
using Q4Gen.Generator.Model;

namespace Q4Gen.Generator.Incremental;

/// <summary>Gives items of a pipeline places that do not depend on one another.</summary>
internal static class HashSlots
{
    // More than a large program has items, so that few share one; those of a slot are made together.
    private const int Count = 256;

    /// <summary>
    /// Distinct items in slots by the hash of their key. Roslyn compares what a step yields by position: in a plain
    /// sequence, one more property in a file would shift, and so re-emit, everything behind it. Here each item has its
    /// slot whatever else comes or goes, and only a slot whose content changed is looked into again. There are as many
    /// slots after an edit as before it, for sequences that shrink and grow again have made Roslyn lose items.
    /// </summary>
    public static IncrementalValuesProvider<EquatableArray<T>> InSlots<T>(this IncrementalValueProvider<EquatableArray<T>> items, Func<T, string> key)
        where T : class, IEquatable<T> =>
        items.SelectMany((all, _) => Spread(all, key));

    /// <summary>A step that makes one item of each.</summary>
    public static IncrementalValuesProvider<EquatableArray<TResult>> SelectEach<T, TResult>(
        this IncrementalValuesProvider<EquatableArray<T>> slots, Func<T, TResult> select, string trackingName)
        where T : class, IEquatable<T>
        where TResult : class, IEquatable<TResult> =>
        slots.Select((slot, _) => slot.Select(select).ToEquatableArray()).WithTrackingName(trackingName);

    /// <summary>A step that makes several items of each.</summary>
    public static IncrementalValuesProvider<EquatableArray<TResult>> SelectEach<T, TResult>(
        this IncrementalValuesProvider<EquatableArray<T>> slots, Func<T, EquatableArray<TResult>> select, string trackingName)
        where T : class, IEquatable<T>
        where TResult : class, IEquatable<TResult> =>
        slots.Select((slot, _) => slot.SelectMany(item => select(item)).ToEquatableArray()).WithTrackingName(trackingName);

    private static EquatableArray<T>[] Spread<T>(EquatableArray<T> items, Func<T, string> key)
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
