using System.ComponentModel;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Q4Gen;

public sealed partial class ModelLoad
{
    private delegate void Visit<T>(string path, ref T? item);

    /// <summary>Visits an array of child models: <c>{name}.0</c>, <c>{name}.1</c>, …</summary>
    /// <param name="prefix">Name of the model that has it.</param>
    /// <param name="name">Its name in the model.</param>
    /// <param name="children">
    /// The array; where it is null, one is made with as many elements as the source has consecutive indices.
    /// </param>
    /// <param name="create">Makes an element; null where the type has no parameterless constructor.</param>
    /// <param name="canAssign">Whether what <paramref name="children"/> gets reaches the model.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public void Children<T>(string prefix, string name, ref T[]? children, Func<T>? create, bool canAssign)
        where T : ILinear4BitModel =>
        VisitArray(Join(prefix, name), ref children, (string path, ref T? item) => VisitChild(path, create, ref item), canAssign);

    /// <inheritdoc cref="Children{T}(string, string, ref T[], Func{T}, bool)"/>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public void Children<T>(string prefix, string name, ref List<T>? children, Func<T>? create, bool canAssign)
        where T : ILinear4BitModel =>
        VisitList(Join(prefix, name), ref children, (string path, ref T? item) => VisitChild(path, create, ref item), canAssign);

    /// <inheritdoc cref="Children{T}(string, string, ref T[], Func{T}, bool)"/>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public void Children<T>(string prefix, string name, ref IReadOnlyList<T>? children, Func<T>? create, bool canAssign)
        where T : class, ILinear4BitModel =>
        VisitReadOnlyList(Join(prefix, name), ref children, (string path, ref T? item) => VisitChild(path, create, ref item), canAssign);

    /// <summary>Visits an array of layers whose class is annotated: <c>{name}.0</c>, <c>{name}.1</c>, …</summary>
    /// <param name="prefix">Name of the model that has it.</param>
    /// <param name="name">Its name in the model.</param>
    /// <param name="read">The layer class's own <c>Load</c>.</param>
    /// <param name="layers">
    /// The array; where it is null, one is made with as many elements as the source has consecutive indices.
    /// </param>
    /// <param name="canAssign">Whether what <paramref name="layers"/> gets reaches the model.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public void Layers<T>(string prefix, string name, Func<IWeightSource, string, T> read, ref T[]? layers, bool canAssign)
        where T : Linear4Bit =>
        VisitArray(Join(prefix, name), ref layers, (string path, ref T? item) => VisitLayer(path, read, ref item), canAssign);

    /// <inheritdoc cref="Layers{T}(string, string, Func{IWeightSource, string, T}, ref T[], bool)"/>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public void Layers<T>(string prefix, string name, Func<IWeightSource, string, T> read, ref List<T>? layers, bool canAssign)
        where T : Linear4Bit =>
        VisitList(Join(prefix, name), ref layers, (string path, ref T? item) => VisitLayer(path, read, ref item), canAssign);

    /// <inheritdoc cref="Layers{T}(string, string, Func{IWeightSource, string, T}, ref T[], bool)"/>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public void Layers<T>(string prefix, string name, Func<IWeightSource, string, T> read, ref IReadOnlyList<T>? layers, bool canAssign)
        where T : Linear4Bit =>
        VisitReadOnlyList(Join(prefix, name), ref layers, (string path, ref T? item) => VisitLayer(path, read, ref item), canAssign);

    private void VisitArray<T>(string path, ref T[]? items, Visit<T> visit, bool canAssign)
    {
        if (items is not null && items.GetType() != typeof(T[]))
        {
            // An array of a derived type refuses references to its elements.
            VisitFixedList(path, items, visit);
            return;
        }

        T[] elements = items ?? Next(() => new T[CountToCreate<T>(path, canAssign)]);
        VisitAll(path, elements, visit);
        if (IsAssigning)
        {
            items = elements;
        }
    }

    private void VisitList<T>(string path, ref List<T>? items, Visit<T> visit, bool canAssign)
    {
        List<T> elements = items ?? Next(() => new List<T>(new T[CountToCreate<T>(path, canAssign)]));
        VisitAll(path, CollectionsMarshal.AsSpan(elements), visit);
        if (IsAssigning)
        {
            items = elements;
        }
    }

    private void VisitReadOnlyList<T>(string path, ref IReadOnlyList<T>? items, Visit<T> visit, bool canAssign)
        where T : class
    {
        switch (items)
        {
            case null or T[]:
                T[]? array = (T[]?)items;
                VisitArray(path, ref array, visit, canAssign);
                items = array;
                break;
            case List<T> list:
                VisitAll(path, CollectionsMarshal.AsSpan(list), visit);
                break;
            default:
                VisitFixedList(path, items, visit);
                break;
        }
    }

    /// <summary>Visits a list whose elements cannot be replaced, so that each must be there and keep its identity.</summary>
    private void VisitFixedList<T>(string path, IReadOnlyList<T> items, Visit<T> visit)
    {
        CheckCount(path, items.Count);
        for (int i = 0; i < items.Count; i++)
        {
            T? item = items[i];
            if (item is null or Linear4Bit)
            {
                throw new InvalidOperationException(
                    $"'{Join(path, Index(i))}' ({typeof(T).Name}) cannot be assigned, because the elements of a "
                    + $"{items.GetType().Name} are fixed; hold them in an array or a List<{typeof(T).Name}>.");
            }

            visit(Join(path, Index(i)), ref item);
        }
    }

    private void VisitAll<T>(string path, Span<T> items, Visit<T> visit)
    {
        CheckCount(path, items.Length);
        for (int i = 0; i < items.Length; i++)
        {
            visit(Join(path, Index(i)), ref items[i]!);
        }
    }

    private int CountToCreate<T>(string path, bool canAssign)
    {
        if (!canAssign)
        {
            throw new InvalidOperationException(
                $"'{path}' ({typeof(T).Name} elements) is null and cannot be assigned: create it before Load, or give the member a setter.");
        }

        int count = CountInSource(path);
        return count > 0
            ? count
            : throw new WeightFormatException(
                $"{Weights.Description}: no tensors under '{Join(path, "0")}', so there is nothing to fill '{path}' "
                + $"({typeof(T).Name} elements) with. Check the prefix given to Load, and the member's [WeightName].");
    }

    private void CheckCount(string path, int count)
    {
        // One check is enough; nothing has changed when the second walk comes by.
        if (IsAssigning)
        {
            return;
        }

        int found = CountInSource(path);
        if (found > count)
        {
            throw new WeightFormatException(
                $"{Weights.Description}: it has {found} elements under '{path}', up to '{Join(path, Index(found - 1))}', but the "
                + $"model's collection has {count}. Make it {found} long, or leave it null to have it created.");
        }
    }

    /// <summary>How many elements <c>{path}.0</c>, <c>{path}.1</c>, … have tensors.</summary>
    private int CountInSource(string path)
    {
        string start = path.Length == 0 ? "" : path + ".";
        var indices = new List<int>();
        foreach (string name in Weights.Names)
        {
            int end = name.Length > start.Length ? name.IndexOf('.', start.Length) : -1;
            if (end >= 0
                && name.StartsWith(start, StringComparison.Ordinal)
                && int.TryParse(name.AsSpan(start.Length, end - start.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int index))
            {
                indices.Add(index);
            }
        }

        // Each element has several tensors.
        indices.Sort();
        int count = 0;
        foreach (int index in indices)
        {
            if (index > count)
            {
                throw new WeightFormatException(
                    $"{Weights.Description}: it has tensors under '{Join(path, Index(indices[^1]))}' but none under "
                    + $"'{Join(path, Index(count))}'; the elements of '{path}' must be numbered from 0 without a gap.");
            }

            count = index + 1;
        }

        return count;
    }

    private static string Index(int index) => index.ToString(CultureInfo.InvariantCulture);
}
