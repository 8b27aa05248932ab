using System.Collections.Generic;
using System.Linq;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Q4Gen.Generator.Diagnostics;
using Q4Gen.Generator.Model;

namespace Q4Gen.Generator.Parsing;

/// <summary>Reads an annotated class.</summary>
internal static class LayerClassParser
{
    /// <summary>The spec of a class with [Linear4Bit], or null where no layer can be made of it.</summary>
    public static LayerClassSpec? Parse(INamedTypeSymbol type, Compilation compilation, Report? report)
    {
        AttributeData attribute = type.FindAttribute(KnownNames.LayerAttribute)!;
        LayerDeclaration? declaration = LayerDeclaration.Read(attribute, type.Name, report);
        if (declaration?.Name is { } name)
        {
            report?.Invoke(Descriptors.NameOnClass, attribute.LocationOf("Name"), type.Name, name);
        }

        bool isPartial = type.IsPartial();
        if (!isPartial)
        {
            report?.Invoke(Descriptors.ClassNotPartial, type.FirstLocation(), type.Name);
        }

        return TypeShellParser.CheckLanguage(type, compilation, report)
            & TypeShellParser.CheckNesting(type, report)
            & CheckBase(type, report)
            & isPartial
            && declaration is not null
                ? new LayerClassSpec(TypeShellParser.Parse(type, compilation), declaration.Shape, declaration.HasBias, declaration.IsAffine)
                : null;
    }

    /// <summary>Whether the class can derive from Linear4Bit.</summary>
    private static bool CheckBase(INamedTypeSymbol type, Report? report)
    {
        (string Problem, string Fix)? reason = null;
        if (type.IsRecord)
        {
            reason = ("is a record, which can derive only from records", $"write 'partial class {type.Name}'");
        }
        else if (type.IsStatic)
        {
            reason = ("is static", "remove 'static'");
        }
        else if (type.IsAbstract)
        {
            reason = ("is abstract, so that Load could not create one", "remove 'abstract'");
        }
        else if (HasPrimaryConstructor(type))
        {
            reason = ("has a primary constructor, which the generated constructors would have to call", "write an ordinary constructor");
        }
        else if (type.BaseType is { SpecialType: not SpecialType.System_Object } other && !other.Is(KnownNames.Layer))
        {
            reason = ($"derives from '{other.ToText()}'", "remove that base, or hold the layer in an annotated property instead");
        }

        if (reason is null)
        {
            return true;
        }

        report?.Invoke(Descriptors.UnusableClass, type.FirstLocation(), type.Name, reason.Value.Problem, reason.Value.Fix);
        return false;
    }

    private static bool HasPrimaryConstructor(INamedTypeSymbol type)
    {
        IEnumerable<SyntaxNode> declarations = type.DeclaringSyntaxReferences.Select(reference => reference.GetSyntax());
        return declarations.OfType<ClassDeclarationSyntax>().Any(declaration => declaration.ParameterList is not null);
    }
}
