using System.Linq;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Q4Gen.CodeFixes;

/// <summary>Small edits of declarations that keep their layout.</summary>
internal static class SyntaxEdits
{
    /// <summary>Adds <c>partial</c> as the last modifier, where C# wants it.</summary>
    public static T WithPartial<T>(this T declaration)
        where T : MemberDeclarationSyntax
    {
        if (declaration.Modifiers.Any(SyntaxKind.PartialKeyword))
        {
            return declaration;
        }

        SyntaxToken partial = SyntaxFactory.Token(SyntaxKind.PartialKeyword).WithTrailingTrivia(SyntaxFactory.Space);
        if (declaration.Modifiers.Count == 0)
        {
            // The new token becomes the first of its line and takes over what stands before it.
            SyntaxToken first = declaration.AttributeLists.Count == 0
                ? declaration.GetFirstToken()
                : declaration.AttributeLists.Last().GetLastToken().GetNextToken();
            partial = partial.WithLeadingTrivia(first.LeadingTrivia);
            declaration = declaration.ReplaceToken(first, first.WithLeadingTrivia());
        }

        return (T)declaration.AddModifiers(partial);
    }

    /// <summary>Removes modifiers of one kind.</summary>
    public static MemberDeclarationSyntax WithoutModifier(this MemberDeclarationSyntax declaration, SyntaxKind kind)
    {
        SyntaxToken modifier = declaration.Modifiers.FirstOrDefault(token => token.IsKind(kind));
        if (modifier == default)
        {
            return declaration;
        }

        SyntaxToken next = modifier.GetNextToken();
        return declaration.ReplaceTokens(
            [modifier, next],
            (original, _) => original == modifier
                ? SyntaxFactory.Token(SyntaxKind.None)
                : original.WithLeadingTrivia(modifier.LeadingTrivia));
    }

    /// <summary>Leaves a property's accessors without bodies, and no initializer.</summary>
    public static PropertyDeclarationSyntax WithoutBody(this PropertyDeclarationSyntax property)
    {
        SyntaxTriviaList end = property.GetTrailingTrivia();
        AccessorDeclarationSyntax[] accessors = property.AccessorList is { } list
            ? [.. list.Accessors.Select(accessor => Accessor(accessor.Modifiers, accessor.Keyword, accessor.Kind()))]
            : [Accessor(default, SyntaxFactory.Token(SyntaxKind.GetKeyword), SyntaxKind.GetAccessorDeclaration)];
        SyntaxToken open = SyntaxFactory.Token(SyntaxKind.OpenBraceToken).WithTrailingTrivia(SyntaxFactory.Space);
        return property
            .WithIdentifier(property.Identifier.WithTrailingTrivia(SyntaxFactory.Space))
            .WithExpressionBody(null)
            .WithInitializer(null)
            .WithSemicolonToken(default)
            .WithAccessorList(SyntaxFactory.AccessorList(
                open, SyntaxFactory.List(accessors), SyntaxFactory.Token(SyntaxKind.CloseBraceToken)))
            .WithTrailingTrivia(end);

        static AccessorDeclarationSyntax Accessor(SyntaxTokenList modifiers, SyntaxToken keyword, SyntaxKind kind) =>
            SyntaxFactory.AccessorDeclaration(kind)
                .WithModifiers(SyntaxFactory.TokenList(modifiers.Select(token =>
                    token.WithoutTrivia().WithTrailingTrivia(SyntaxFactory.Space))))
                .WithKeyword(keyword.WithoutTrivia())
                .WithSemicolonToken(SyntaxFactory.Token(SyntaxKind.SemicolonToken).WithTrailingTrivia(SyntaxFactory.Space));
    }
}
