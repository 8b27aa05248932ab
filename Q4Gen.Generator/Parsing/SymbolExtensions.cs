using System.Collections.Generic;
using System.Linq;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Q4Gen.Generator.Parsing;

/// <summary>Questions about symbols that several parsers ask.</summary>
internal static class SymbolExtensions
{
    // Namespaces and types by their full names, for comparison with KnownNames.
    private static readonly SymbolDisplayFormat s_metadata = new(
        typeQualificationStyle: SymbolDisplayTypeQualificationStyle.NameAndContainingTypesAndNamespaces);

    private static readonly SymbolDisplayFormat s_source = SymbolDisplayFormat.FullyQualifiedFormat.AddMiscellaneousOptions(
        SymbolDisplayMiscellaneousOptions.IncludeNullableReferenceTypeModifier);

    public static bool Is(this ITypeSymbol? type, string fullName) =>
        type is INamedTypeSymbol { Arity: 0 } && fullName.EndsWith(type.Name, System.StringComparison.Ordinal)
        && type.ToDisplayString(s_metadata) == fullName;

    public static AttributeData? FindAttribute(this ISymbol symbol, string fullName) =>
        symbol.GetAttributes().FirstOrDefault(attribute => attribute.AttributeClass.Is(fullName));

    /// <summary>Whether the type is itself annotated as a layer.</summary>
    public static bool IsLayer(this ITypeSymbol type) => type.FindAttribute(KnownNames.LayerAttribute) is not null;

    /// <summary>Whether the type asks for a generated <c>Load</c>.</summary>
    public static bool IsContainer(this INamedTypeSymbol type) =>
        type.FindAttribute(KnownNames.ModelAttribute) is not null || type.LayerProperties().Any();

    /// <summary>The annotated properties in declaration order.</summary>
    public static IEnumerable<IPropertySymbol> LayerProperties(this INamedTypeSymbol type) =>
        type.GetMembers().OfType<IPropertySymbol>()
            .Where(property => property.FindAttribute(KnownNames.LayerAttribute) is not null)
            .InDeclarationOrder();

    /// <summary>
    /// Members as they are declared. Where a type has parts in several files, the part with the lowest first name comes
    /// first: neither the compiler's order of the files nor their paths are the same on every machine.
    /// </summary>
    public static IEnumerable<T> InDeclarationOrder<T>(this IEnumerable<T> members)
        where T : ISymbol =>
        members.GroupBy(member => member.FirstLocation()?.SourceTree)
            .Select(part => part.OrderBy(member => member.FirstLocation()?.SourceSpan.Start ?? 0).ToList())
            .OrderBy(part => part[0].Name, System.StringComparer.Ordinal)
            .SelectMany(part => part);

    /// <summary>Whether the user's parts are: the analyzer sees a generated one, too.</summary>
    public static bool IsPartial(this INamedTypeSymbol type) =>
        type.DeclaringSyntaxReferences.All(reference =>
            reference.GetSyntax() is TypeDeclarationSyntax declaration && declaration.Modifiers.Any(SyntaxKind.PartialKeyword));

    /// <summary>The type as generated code writes it.</summary>
    public static string ToSource(this ITypeSymbol type) => type.ToDisplayString(s_source);

    /// <summary>The type as messages and comments write it.</summary>
    public static string ToText(this ISymbol symbol) => symbol.ToDisplayString(SymbolDisplayFormat.CSharpShortErrorMessageFormat);

    /// <summary>A name as C# needs it written: keywords get an @.</summary>
    public static string ToIdentifier(this string name) =>
        SyntaxFacts.GetKeywordKind(name) != SyntaxKind.None || SyntaxFacts.GetContextualKeywordKind(name) != SyntaxKind.None
            ? "@" + name
            : name;

    public static Location? FirstLocation(this ISymbol symbol) => symbol.Locations.FirstOrDefault();

    /// <summary>Where an attribute's named argument is written, or else the attribute.</summary>
    public static Location? LocationOf(this AttributeData attribute, string argument)
    {
        if (attribute.ApplicationSyntaxReference?.GetSyntax() is not AttributeSyntax syntax)
        {
            return null;
        }

        AttributeArgumentSyntax? found = syntax.ArgumentList?.Arguments.FirstOrDefault(
            item => item.NameEquals?.Name.Identifier.ValueText == argument);
        return (found ?? (SyntaxNode)syntax).GetLocation();
    }
}
