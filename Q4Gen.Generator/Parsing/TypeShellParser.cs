using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Q4Gen.Generator.Diagnostics;
using Q4Gen.Generator.Incremental;
using Q4Gen.Generator.Model;

namespace Q4Gen.Generator.Parsing;

/// <summary>Finds out where the generated part of a type goes.</summary>
internal static class TypeShellParser
{
    private static readonly SymbolDisplayFormat s_display = new(
        typeQualificationStyle: SymbolDisplayTypeQualificationStyle.NameAndContainingTypesAndNamespaces,
        genericsOptions: SymbolDisplayGenericsOptions.IncludeTypeParameters);

    /// <summary>Whether C# is new enough for the code that is generated.</summary>
    public static bool CheckLanguage(ISymbol annotated, Compilation compilation, Report? report)
    {
        LanguageVersion version = ((CSharpCompilation)compilation).LanguageVersion;
        if (version >= LanguageVersion.CSharp13)
        {
            return true;
        }

        report?.Invoke(Descriptors.LanguageTooOld, annotated.FirstLocation(), annotated.Name, version.ToDisplayString());
        return false;
    }

    /// <summary>Whether a generated file can add to the type, if the types around it are partial.</summary>
    public static bool IsReachable(INamedTypeSymbol type, Compilation compilation) =>
        CheckLanguage(type, compilation, report: null) && !IsFileLocal(type);

    /// <summary>Whether every type around <paramref name="type"/> is partial and can be reached from another file.</summary>
    public static bool CheckNesting(INamedTypeSymbol type, Report? report)
    {
        if (IsFileLocal(type))
        {
            report?.Invoke(
                Descriptors.UnusableContainer, type.FirstLocation(), type.Name,
                "is local to its file, so that no generated file can add to it", "remove 'file'");
            return false;
        }

        bool isPartial = true;
        foreach (INamedTypeSymbol outer in type.ContainingTypes().Where(outer => !outer.IsPartial()))
        {
            report?.Invoke(Descriptors.ContainingTypeNotPartial, outer.FirstLocation(), outer.Name, type.Name, Keyword(outer));
            isPartial = false;
        }

        return isPartial;
    }

    /// <summary>The shell of a type that passed the checks.</summary>
    public static TypeShell Parse(INamedTypeSymbol type, Compilation compilation)
    {
        string ns = type.ContainingNamespace.IsGlobalNamespace
            ? ""
            : type.ContainingNamespace.ToDisplayString(SymbolDisplayFormat.FullyQualifiedFormat.WithGlobalNamespaceStyle(
                SymbolDisplayGlobalNamespaceStyle.Omitted));
        IEnumerable<INamedTypeSymbol> nesting = type.ContainingTypes().Reverse().Append(type);
        return new TypeShell(
            ns, nesting.Select(Declaration).ToEquatableArray(), type.Name, type.ToDisplayString(s_display), HintName(type, compilation));
    }

    public static string Keyword(INamedTypeSymbol type) => (type.TypeKind, type.IsRecord) switch
    {
        (TypeKind.Struct, true) => "record struct",
        (TypeKind.Struct, false) => "struct",
        (TypeKind.Interface, _) => "interface",
        (_, true) => "record",
        _ => "class",
    };

    private static bool IsFileLocal(INamedTypeSymbol type) => type.IsFileLocal || type.ContainingTypes().Any(outer => outer.IsFileLocal);

    private static IEnumerable<INamedTypeSymbol> ContainingTypes(this INamedTypeSymbol type)
    {
        for (INamedTypeSymbol? outer = type.ContainingType; outer is not null; outer = outer.ContainingType)
        {
            yield return outer;
        }
    }

    private static string Declaration(INamedTypeSymbol type)
    {
        string parameters = type.TypeParameters.IsEmpty
            ? ""
            : $"<{string.Join(", ", type.TypeParameters.Select(parameter => parameter.Name.ToIdentifier()))}>";
        return $"partial {Keyword(type)} {type.Name.ToIdentifier()}{parameters}";
    }

    /// <summary>
    /// <c>MyApp.Outer{T}.Mlp.g.cs</c>. Roslyn compares names without regard to case and allows few signs; where either
    /// could make two types share a name, a hash of the exact one tells them apart.
    /// </summary>
    private static string HintName(INamedTypeSymbol type, Compilation compilation)
    {
        string exact = type.ToDisplayString(s_display);
        var name = new StringBuilder(exact.Length + 16);
        foreach (char c in exact.Replace('<', '{').Replace('>', '}'))
        {
            name.Append(char.IsLetterOrDigit(c) || c is '.' or '_' or '{' or '}' or ',' or ' ' ? c : '-');
        }

        bool needsHash = name.ToString() != exact.Replace('<', '{').Replace('>', '}') || HasTwinInOtherCase(type, compilation);
        return $"{name.Replace(", ", ",")}{(needsHash ? "-" + StableHash.Of(exact).ToString("x8", CultureInfo.InvariantCulture) : "")}.g.cs";
    }

    private static bool HasTwinInOtherCase(INamedTypeSymbol type, Compilation compilation)
    {
        INamespaceOrTypeSymbol place = compilation.Assembly.GlobalNamespace;
        foreach (INamespaceOrTypeSymbol step in PathTo(type))
        {
            foreach (ISymbol sibling in place.GetMembers())
            {
                if (sibling is INamespaceOrTypeSymbol
                    && sibling.Name != step.Name
                    && sibling.Name.Equals(step.Name, StringComparison.OrdinalIgnoreCase))
                {
                    return true;
                }
            }

            INamespaceOrTypeSymbol? next = step is INamespaceSymbol
                ? place.GetMembers(step.Name).OfType<INamespaceSymbol>().FirstOrDefault()
                : step;
            if (next is null)
            {
                return false;
            }

            place = next;
        }

        return false;
    }

    private static IEnumerable<INamespaceOrTypeSymbol> PathTo(INamedTypeSymbol type)
    {
        var path = new Stack<INamespaceOrTypeSymbol>();
        for (ISymbol? step = type; step is INamespaceOrTypeSymbol place and not INamespaceSymbol { IsGlobalNamespace: true }; step = step.ContainingSymbol)
        {
            path.Push(place);
        }

        return path;
    }
}
