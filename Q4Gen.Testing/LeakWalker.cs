using System.Collections;
using System.Reflection;
using Microsoft.CodeAnalysis;

namespace Q4Gen.Testing;

/// <summary>
/// Walks everything that a pipeline output refers to and finds objects of the compiler that must not be there: they
/// keep whole compilations alive between edits, and never compare equal after one.
/// </summary>
internal sealed class LeakWalker
{
    private readonly HashSet<object> _seen = new(ReferenceEqualityComparer.Instance);
    private readonly Stack<(object Value, string Path)> _open = new();
    private readonly List<string> _leaks = [];

    /// <summary>The paths from <paramref name="root"/> to each such object, with its type.</summary>
    public static IReadOnlyList<string> Find(object? root, string name)
    {
        var walker = new LeakWalker();
        walker.Push(root, name);
        while (walker._open.TryPop(out (object Value, string Path) item))
        {
            walker.Visit(item.Value, item.Path);
        }

        return walker._leaks;
    }

    private static bool IsForbidden(object value) => value is
        ISymbol or SyntaxNode or SyntaxTree or Compilation or SemanticModel or Location
        or SyntaxReference or AttributeData or IOperation;

    private static bool IsLeaf(Type type) =>
        type.IsPrimitive || type.IsEnum || type.IsPointer || type == typeof(string) || type == typeof(decimal)
        || typeof(MemberInfo).IsAssignableFrom(type) || typeof(Assembly).IsAssignableFrom(type);

    private void Push(object? value, string path)
    {
        if (value is null || IsLeaf(value.GetType()))
        {
            return;
        }

        // Boxes of one value type are distinct objects, but they are not shared, so they cannot close a cycle.
        if (value.GetType().IsValueType || _seen.Add(value))
        {
            _open.Push((value, path));
        }
    }

    private void Visit(object value, string path)
    {
        if (IsForbidden(value))
        {
            _leaks.Add($"{path} is a {value.GetType().Name}");
            return;
        }

        if (value is Array array)
        {
            VisitElements(array, path);
            return;
        }

        for (Type? type = value.GetType(); type is not null && type != typeof(object); type = type.BaseType)
        {
            foreach (FieldInfo field in type.GetFields(
                BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
            {
                if (!IsLeaf(field.FieldType) && !field.FieldType.IsByRefLike)
                {
                    Push(field.GetValue(value), $"{path}.{field.Name}");
                }
            }
        }
    }

    private void VisitElements(IEnumerable array, string path)
    {
        Type? element = array.GetType().GetElementType();
        if (element is not null && IsLeaf(element))
        {
            return;
        }

        int index = 0;
        foreach (object? item in array)
        {
            Push(item, $"{path}[{index++}]");
        }
    }
}
