using System.Collections.Generic;
using System.Linq;
using Microsoft.CodeAnalysis;
using Q4Gen.Generator.Diagnostics;
using Q4Gen.Generator.Model;

namespace Q4Gen.Generator.Parsing;

/// <summary>Finds the children of a container: what it stores that holds layers or is one.</summary>
internal static class ChildParser
{
    /// <summary>
    /// The spec of a member, or null where it is no child. Storage counts, that is fields and automatic properties; a
    /// property with accessors written by hand is a view on storage and counts only with [WeightName].
    /// </summary>
    public static ChildSpec? Parse(ISymbol member, INamedTypeSymbol container, Compilation compilation, Report? report)
    {
        string? givenName = member.FindAttribute(KnownNames.WeightNameAttribute)?.ConstructorArguments is [{ Value: string given }, ..] ? given : null;
        if (Storage.Of(member, isNamed: givenName is not null) is not { } storage)
        {
            return null;
        }

        var kinds = new ChildKinds(compilation);
        (ITypeSymbol element, ChildCollection collection) = ChildKinds.Split(storage.Type);
        bool isLayer = kinds.IsLayerClass(element);
        string name = givenName ?? SnakeCase.From(member.Name);
        if (!isLayer && !kinds.HoldsLayers(element))
        {
            ReportUnknown(storage, member, givenName, kinds, report);
            return null;
        }

        if (givenName is null && IsBackReference(element, member, container, name, kinds, report))
        {
            return null;
        }

        if (!CheckAssignable(storage, element, isLayer, collection, member, report))
        {
            return null;
        }

        return new ChildSpec(
            member.Name,
            member.Name.ToIdentifier(),
            name,
            element.WithNullableAnnotation(NullableAnnotation.NotAnnotated).ToSource(),
            isLayer,
            element.IsValueType,
            collection,
            storage is { IsField: true, CanAssign: true },
            storage.CanAssign,
            CanCreate(element, container, compilation));
    }

    /// <summary>Says where a member looks as if it should be loaded but cannot.</summary>
    private static void ReportUnknown(Storage storage, ISymbol member, string? givenName, ChildKinds kinds, Report? report)
    {
        if (storage.Type is INamedTypeSymbol { OriginalDefinition.SpecialType: SpecialType.System_Nullable_T } nullable
            && kinds.HoldsLayers(nullable.TypeArguments[0]))
        {
            report?.Invoke(
                Descriptors.UnloadableChild, member.FirstLocation(), member.Name, "a nullable struct cannot be filled in place",
                $"write '{nullable.TypeArguments[0].ToText()}' without the question mark, or make it a class");
        }
        else if (kinds.FindElements(storage.Type) is { } element)
        {
            report?.Invoke(
                Descriptors.UnloadableChild, member.FirstLocation(), member.Name, $"a load cannot fill a '{storage.Type.ToText()}'",
                $"write '{element.ToText()}[]', 'List<{element.ToText()}>' or 'IReadOnlyList<{element.ToText()}>'");
        }
        else if (givenName is not null)
        {
            report?.Invoke(
                Descriptors.UnloadableChild, member.FirstLocation(), member.Name,
                $"it has [WeightName], but its type '{storage.Type.ToText()}' holds no layers",
                "remove [WeightName], or put [Linear4BitModel] on that type");
        }
    }

    private static bool IsBackReference(
        ITypeSymbol element, ISymbol member, INamedTypeSymbol container, string name, ChildKinds kinds, Report? report)
    {
        if (Same(element, container))
        {
            return true;
        }

        if (!kinds.LeadsTo(element, container, throughNamed: true))
        {
            return false;
        }

        // Where some member on the way back has [WeightName], the user has said which of them holds which.
        if (kinds.LeadsTo(element, container, throughNamed: false))
        {
            report?.Invoke(Descriptors.CyclicChild, member.FirstLocation(), member.Name, element.ToText(), container.Name, name);
        }

        return true;
    }

    private static bool CheckAssignable(
        Storage storage, ITypeSymbol element, bool isLayer, ChildCollection collection, ISymbol member, Report? report)
    {
        (string Problem, string Fix)? reason = (collection, element.IsValueType) switch
        {
            (ChildCollection.None, true) when !storage.CanAssign => ("it is a struct that cannot be assigned", storage.Advice),
            (ChildCollection.None, false) when isLayer && !storage.CanAssign => ("loading makes a new layer, which cannot be assigned", storage.Advice),
            (ChildCollection.ReadOnlyList, true) => ("the structs in an IReadOnlyList cannot be filled in place", $"write '{element.ToText()}[]'"),
            _ => null,
        };
        if (reason is null)
        {
            return true;
        }

        report?.Invoke(Descriptors.UnloadableChild, member.FirstLocation(), member.Name, reason.Value.Problem, reason.Value.Fix);
        return false;
    }

    private static bool CanCreate(ITypeSymbol type, INamedTypeSymbol container, Compilation compilation) => type switch
    {
        ITypeParameterSymbol parameter => parameter.HasConstructorConstraint || parameter.HasValueTypeConstraint,
        INamedTypeSymbol { IsAbstract: false, TypeKind: TypeKind.Class } named =>
            named.InstanceConstructors.Any(constructor =>
                constructor.Parameters.IsEmpty && compilation.IsSymbolAccessibleWithin(constructor, container))
            && !HasRequiredMembers(named),
        _ => false,
    };

    private static bool HasRequiredMembers(INamedTypeSymbol type)
    {
        for (INamedTypeSymbol? level = type; level is not null; level = level.BaseType)
        {
            if (level.GetMembers().Any(member => member is IPropertySymbol { IsRequired: true } or IFieldSymbol { IsRequired: true }))
            {
                return true;
            }
        }

        return false;
    }

    private static bool Same(ITypeSymbol type, INamedTypeSymbol container) =>
        SymbolEqualityComparer.Default.Equals(type.OriginalDefinition, container.OriginalDefinition);
}
