using System;
using System.Collections.Generic;
using System.Linq;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Q4Gen.Generator.Diagnostics;
using Q4Gen.Generator.Model;

namespace Q4Gen.Generator.Parsing;

/// <summary>Reads an annotated property.</summary>
internal static class LayerPropertyParser
{
    /// <summary>The spec of a property with [Linear4Bit], or null where it cannot be implemented.</summary>
    /// <param name="property">The property.</param>
    /// <param name="takenNames">Names of the type's members; the backing field's is added.</param>
    /// <param name="report">Where to say what is wrong.</param>
    public static LayerPropertySpec? Parse(IPropertySymbol property, HashSet<string> takenNames, Report? report)
    {
        AttributeData attribute = property.FindAttribute(KnownNames.LayerAttribute)!;
        LayerDeclaration? declaration = LayerDeclaration.Read(attribute, property.Name, report);
        if (!CheckForm(property, report) || declaration is null)
        {
            return null;
        }

        var syntax = (PropertyDeclarationSyntax)property.DeclaringSyntaxReferences[0].GetSyntax();
        return new LayerPropertySpec(
            property.Name,
            property.Name.ToIdentifier(),
            FieldName(property.Name, takenNames),
            declaration.Name ?? SnakeCase.From(property.Name),
            declaration.Shape,
            declaration.HasBias,
            declaration.IsAffine,
            property.NullableAnnotation == NullableAnnotation.Annotated,
            HasDocumentation(syntax),
            Modifiers(syntax),
            Accessor(syntax, SyntaxKind.GetAccessorDeclaration),
            Accessor(syntax, SyntaxKind.SetAccessorDeclaration, SyntaxKind.InitAccessorDeclaration));
    }

    /// <summary>What <see cref="Parse"/> refused, or null where the compiler does not wait for a body, or has one.</summary>
    public static RejectedPropertySpec? Reject(IPropertySymbol property)
    {
        if (property is not { IsPartialDefinition: true, IsIndexer: false, IsAbstract: false, RefKind: RefKind.None }
            || property.DeclaringSyntaxReferences[0].GetSyntax() is not PropertyDeclarationSyntax syntax
            || FindBody(property) is not null)
        {
            return null;
        }

        string modifiers = Modifiers(syntax);
        return new RejectedPropertySpec(
            property.Name,
            $"{modifiers} {property.Type.ToSource()} {property.Name.ToIdentifier()}",
            HasDocumentation(syntax),
            Accessor(syntax, SyntaxKind.GetAccessorDeclaration),
            Accessor(syntax, SyntaxKind.SetAccessorDeclaration, SyntaxKind.InitAccessorDeclaration));
    }

    /// <summary>Whether Q4Gen can implement the property.</summary>
    private static bool CheckForm(IPropertySymbol property, Report? report)
    {
        Location? location = property.FirstLocation();
        string? unusable = property switch
        {
            { IsIndexer: true } => "an indexer",
            { IsStatic: true } => "static",
            { IsAbstract: true } => "abstract",
            { GetMethod: null } => "write-only",
            { RefKind: not RefKind.None } => "returned by reference",
            _ => null,
        };
        if (unusable is not null)
        {
            report?.Invoke(
                Descriptors.UnusableProperty, location, property.IsIndexer ? "this[]" : property.Name, unusable,
                property.IsIndexer ? "Layer" : property.Name);
            return false;
        }

        if (!property.Type.Is(KnownNames.Layer))
        {
            report?.Invoke(Descriptors.WrongPropertyType, location, property.Name, property.Type.ToText());
            return false;
        }

        if (FindBody(property) is { } body)
        {
            report?.Invoke(Descriptors.PropertyHasBody, location, property.Name, body);
            return false;
        }

        if (!property.IsPartialDefinition)
        {
            report?.Invoke(Descriptors.PropertyNotPartial, location, property.Name);
            return false;
        }

        return true;
    }

    /// <summary>What the user wrote where Q4Gen writes, in words; null where there is nothing.</summary>
    private static string? FindBody(IPropertySymbol property)
    {
        // The analyzer sees the part that Q4Gen generated, too.
        if (property.PartialImplementationPart is { } part && !part.GetAttributes().Any(IsByQ4Gen))
        {
            return "an implementing part";
        }

        return property.DeclaringSyntaxReferences[0].GetSyntax() switch
        {
            PropertyDeclarationSyntax { Initializer: not null } => "an initializer",
            PropertyDeclarationSyntax { ExpressionBody: not null } => "a body",
            PropertyDeclarationSyntax { AccessorList: { } accessors }
                when accessors.Accessors.Any(accessor => accessor.Body is not null || accessor.ExpressionBody is not null) => "a body",
            PropertyDeclarationSyntax => null,
            _ => "a positional parameter",
        };

        static bool IsByQ4Gen(AttributeData attribute) =>
            attribute.AttributeClass.Is("System.CodeDom.Compiler.GeneratedCodeAttribute")
            && attribute.ConstructorArguments is [{ Value: KnownNames.GeneratorName }, ..];
    }

    private static string FieldName(string property, HashSet<string> takenNames)
    {
        string trimmed = property.TrimStart('_');
        string name = trimmed.Length == 0 ? "_layer" : $"_{char.ToLowerInvariant(trimmed[0])}{trimmed.Substring(1)}";
        if (!takenNames.Add(name))
        {
            int number = 0;
            string stem = name + "Layer";
            name = stem;
            while (!takenNames.Add(name))
            {
                number++;
                name = stem + number.ToString(System.Globalization.CultureInfo.InvariantCulture);
            }
        }

        return name;
    }

    private static string Modifiers(PropertyDeclarationSyntax property) =>
        string.Join(" ", property.Modifiers.Select(modifier => modifier.ValueText));

    private static string Accessor(PropertyDeclarationSyntax property, params SyntaxKind[] kinds)
    {
        AccessorDeclarationSyntax? accessor = property.AccessorList?.Accessors.FirstOrDefault(item => kinds.Contains(item.Kind()));
        return accessor is null
            ? ""
            : string.Join(" ", accessor.Modifiers.Append(accessor.Keyword).Select(token => token.ValueText));
    }

    /// <summary>Whether the user has documented the property.</summary>
    public static bool HasDocumentation(PropertyDeclarationSyntax property) =>
        property.GetLeadingTrivia().Any(trivia =>
            trivia.HasStructure && trivia.GetStructure() is DocumentationCommentTriviaSyntax
            || trivia.ToString().StartsWith("///", StringComparison.Ordinal));
}
