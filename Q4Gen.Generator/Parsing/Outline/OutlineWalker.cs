using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using System.Threading;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Q4Gen.Generator.Parsing.Outline;

/// <summary>
/// Outlines a file. Syntax alone, and on the safe side: what counts although it need not costs a parse too many, what
/// did not count although it must would leave generated code behind the program.
/// </summary>
internal sealed class OutlineWalker
{
    // Where a type or a namespace ends, so that what follows does not seem to stand in it. No token has this kind.
    private const ulong End = ulong.MaxValue;

    private readonly CancellationToken _cancellation;
    private readonly ImmutableArray<TypeOutline>.Builder _types = ImmutableArray.CreateBuilder<TypeOutline>();
    private readonly ImmutableArray<string>.Builder _aliases = ImmutableArray.CreateBuilder<string>();
    private Fingerprint _surroundings;

    private OutlineWalker(CancellationToken cancellation) => _cancellation = cancellation;

    public static FileOutline Walk(SyntaxNode root, CancellationToken cancellation)
    {
        var walker = new OutlineWalker(cancellation);
        if (root is CompilationUnitSyntax unit)
        {
            walker.VisitUsings(unit.Externs, unit.Usings);
            walker.VisitMembers(unit.Members, prefix: "");
        }

        return new FileOutline(walker._surroundings.Value, walker._types.ToImmutable(), walker._aliases.ToImmutable());
    }

    private void VisitUsings(SyntaxList<ExternAliasDirectiveSyntax> externs, SyntaxList<UsingDirectiveSyntax> usings)
    {
        foreach (ExternAliasDirectiveSyntax directive in externs)
        {
            Share(directive);
        }

        foreach (UsingDirectiveSyntax directive in usings)
        {
            Share(directive);
            if (directive.Alias is { } alias)
            {
                _aliases.Add(alias.Name.Identifier.ValueText);
            }
        }
    }

    private void VisitMembers(SyntaxList<MemberDeclarationSyntax> members, string prefix)
    {
        foreach (MemberDeclarationSyntax member in members)
        {
            _cancellation.ThrowIfCancellationRequested();
            switch (member)
            {
                case BaseNamespaceDeclarationSyntax space:
                    Share(space.NamespaceKeyword);
                    Share(space.Name);
                    VisitUsings(space.Externs, space.Usings);
                    VisitMembers(space.Members, $"{prefix}{string.Join(".", Names(space.Name))}.");
                    _surroundings.Add(End);
                    break;
                case TypeDeclarationSyntax type and not ExtensionBlockDeclarationSyntax:
                    VisitType(type, prefix);
                    break;
                case EnumDeclarationSyntax or DelegateDeclarationSyntax:
                    Share(member);
                    break;
            }
        }
    }

    private void VisitType(TypeDeclarationSyntax type, string prefix)
    {
        string name = prefix + type.Identifier.ValueText + (type.Arity == 0 ? "" : $"`{type.Arity}");
        var declaration = new Fingerprint();
        var attributes = ImmutableHashSet.CreateBuilder<string>();
        AddNames(type.AttributeLists, attributes);
        foreach (SyntaxNodeOrToken part in type.ChildNodesAndTokens())
        {
            _cancellation.ThrowIfCancellationRequested();
            switch (part.AsNode())
            {
                case TypeDeclarationSyntax nested and not ExtensionBlockDeclarationSyntax:
                    declaration.Add(nested.Identifier);
                    VisitType(nested, name + "+");
                    break;
                case MemberDeclarationSyntax member:
                    VisitMember(member, ref declaration, attributes);
                    break;
                case { } header:
                    Add(header, ref declaration, isShared: true);
                    break;
                // Braces say nothing, and whoever is typing has not always closed them.
                case null when part.Kind() is SyntaxKind.OpenBraceToken or SyntaxKind.CloseBraceToken or SyntaxKind.SemicolonToken:
                    break;
                case null:
                    Add(part.AsToken(), ref declaration, isShared: true);
                    break;
            }
        }

        _surroundings.Add(End);

        // A part without attributes counts as well: it may have the members that others have taken names from.
        if (attributes.Count > 0 || type.Modifiers.Any(SyntaxKind.PartialKeyword))
        {
            _types.Add(new TypeOutline(name, declaration.Value, attributes.ToImmutable()));
        }
    }

    private void VisitMember(MemberDeclarationSyntax member, ref Fingerprint declaration, ImmutableHashSet<string>.Builder attributes)
    {
        // What a user is in the middle of typing declares nothing yet.
        if (member is IncompleteMemberSyntax)
        {
            return;
        }

        if (member is PropertyDeclarationSyntax { AttributeLists.Count: > 0 } property)
        {
            AddNames(property.AttributeLists, attributes);
            declaration.Add(LayerPropertyParser.HasDocumentation(property) ? 1u : 0u);
        }

        Add(member, ref declaration, IsShared(member));
    }

    /// <summary>Whether parsing a type of another file may look at the member.</summary>
    private static bool IsShared(MemberDeclarationSyntax member) => member switch
    {
        _ when member.AttributeLists.Count > 0 || member.Modifiers.Any(SyntaxKind.RequiredKeyword) || member.Modifiers.Any(SyntaxKind.ConstKeyword) => true,
        FieldDeclarationSyntax field => MayHoldLayers(field.Declaration.Type),
        PropertyDeclarationSyntax property => MayHoldLayers(property.Type),
        MethodDeclarationSyntax method => method.Identifier.ValueText is "Load" or "LoadFrom",
        ConstructorDeclarationSyntax or EnumDeclarationSyntax or DelegateDeclarationSyntax => true,
        _ => false,
    };

    private static bool MayHoldLayers(TypeSyntax type) => type switch
    {
        ArrayTypeSyntax array => MayHoldLayers(array.ElementType),
        NullableTypeSyntax nullable => MayHoldLayers(nullable.ElementType),
        PredefinedTypeSyntax => false,
        _ => true,
    };

    private void Share(SyntaxNode node)
    {
        var nobodysOwn = new Fingerprint();
        Add(node, ref nobodysOwn, isShared: true);
    }

    private void Share(SyntaxToken token)
    {
        var nobodysOwn = new Fingerprint();
        Add(token, ref nobodysOwn, isShared: true);
    }

    private void Add(SyntaxNode node, ref Fingerprint declaration, bool isShared)
    {
        foreach (SyntaxNodeOrToken item in node.DescendantNodesAndTokens(static inner => !IsBody(inner)))
        {
            if (item.IsToken)
            {
                Add(item.AsToken(), ref declaration, isShared);
            }
            else if (item.AsNode() is { } body && IsBody(body))
            {
                AddBody(body, ref declaration, isShared);
            }
        }
    }

    private void Add(SyntaxToken token, ref Fingerprint declaration, bool isShared)
    {
        declaration.Add(token);
        if (isShared)
        {
            _surroundings.Add(token);
        }
    }

    /// <summary>Of a body counts that it is there, and whether it makes a property store something.</summary>
    private void AddBody(SyntaxNode body, ref Fingerprint declaration, bool isShared)
    {
        bool storesField = body.Parent is AccessorDeclarationSyntax or PropertyDeclarationSyntax
            && body.DescendantTokens().Any(static token => token.Text == "field");
        ulong what = (ulong)body.RawKind << 1 | (storesField ? 1u : 0u);
        declaration.Add(what);
        if (isShared)
        {
            _surroundings.Add(what);
        }
    }

    private static bool IsBody(SyntaxNode node) =>
        node is BlockSyntax or ArrowExpressionClauseSyntax
        && node.Parent is BaseMethodDeclarationSyntax or AccessorDeclarationSyntax or BasePropertyDeclarationSyntax;

    private static void AddNames(SyntaxList<AttributeListSyntax> lists, ImmutableHashSet<string>.Builder names)
    {
        foreach (AttributeListSyntax list in lists)
        {
            foreach (AttributeSyntax attribute in list.Attributes)
            {
                names.Add(Names(attribute.Name).LastOrDefault() ?? "");
            }
        }
    }

    private static IEnumerable<string> Names(NameSyntax name) =>
        name.DescendantTokens().Where(static token => token.IsKind(SyntaxKind.IdentifierToken)).Select(static token => token.ValueText);
}
