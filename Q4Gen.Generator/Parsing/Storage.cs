using System.Linq;
using Microsoft.CodeAnalysis;

namespace Q4Gen.Generator.Parsing;

/// <summary>A member that stores something in each instance.</summary>
/// <param name="Type">What it stores.</param>
/// <param name="IsField">Whether it is a field.</param>
/// <param name="CanAssign">Whether a method of its type can assign it.</param>
/// <param name="Advice">What to type to make it assignable.</param>
internal sealed record Storage(ITypeSymbol Type, bool IsField, bool CanAssign, string Advice)
{
    /// <summary>
    /// A member as storage, or null. A property whose accessors are written by hand is storage only if it
    /// <paramref name="isNamed"/>.
    /// </summary>
    public static Storage? Of(ISymbol member, bool isNamed) => member switch
    {
        IFieldSymbol { IsStatic: false, IsImplicitlyDeclared: false } field when field.RefKind == RefKind.None =>
            new Storage(field.Type, IsField: true, !field.IsReadOnly, "remove 'readonly'"),
        IPropertySymbol { IsStatic: false, IsIndexer: false, RefKind: RefKind.None, GetMethod: not null, ExplicitInterfaceImplementations.IsEmpty: true } property
            when (isNamed || IsAutomatic(property)) && property.FindAttribute(KnownNames.LayerAttribute) is null =>
            new Storage(property.Type, IsField: false, property.SetMethod is { IsInitOnly: false }, "write '{ get; set; }' or '{ get; private set; }'"),
        _ => null,
    };

    private static bool IsAutomatic(IPropertySymbol property) =>
        property.ContainingType.GetMembers().OfType<IFieldSymbol>().Any(field =>
            SymbolEqualityComparer.Default.Equals(field.AssociatedSymbol, property));
}
