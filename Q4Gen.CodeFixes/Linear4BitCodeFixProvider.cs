using System.Collections.Immutable;
using System.Composition;
using System.Linq;
using System.Threading.Tasks;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Simplification;
using Q4Gen.Generator.Diagnostics;

namespace Q4Gen.CodeFixes;

/// <summary>Fixes what takes no decision: missing <c>partial</c>, superfluous bodies, modifiers and names, wrong types.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp, Name = nameof(Linear4BitCodeFixProvider))]
[Shared]
public sealed class Linear4BitCodeFixProvider : CodeFixProvider
{
    /// <inheritdoc/>
    public override ImmutableArray<string> FixableDiagnosticIds { get; } =
    [
        Descriptors.ClassNotPartial.Id,
        Descriptors.PropertyNotPartial.Id,
        Descriptors.ContainingTypeNotPartial.Id,
        Descriptors.WrongPropertyType.Id,
        Descriptors.UnusableProperty.Id,
        Descriptors.PropertyHasBody.Id,
        Descriptors.UnusableClass.Id,
        Descriptors.UnusableContainer.Id,
        Descriptors.NameOnClass.Id,
    ];

    /// <inheritdoc/>
    public override FixAllProvider GetFixAllProvider() => WellKnownFixAllProviders.BatchFixer;

    /// <inheritdoc/>
    public override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        SyntaxNode? root = await context.Document.GetSyntaxRootAsync(context.CancellationToken).ConfigureAwait(false);
        foreach (Diagnostic diagnostic in context.Diagnostics)
        {
            SyntaxNode? node = root?.FindNode(diagnostic.Location.SourceSpan, getInnermostNodeForTie: true);
            if (node is not null && Find(diagnostic.Id, node) is { } fix)
            {
                context.RegisterCodeFix(
                    CodeAction.Create(
                        fix.Title,
                        _ => Task.FromResult(context.Document.WithSyntaxRoot(root!.ReplaceNode(fix.Old, fix.New))),
                        equivalenceKey: fix.Title),
                    diagnostic);
            }
        }
    }

    private static Fix? Find(string id, SyntaxNode node)
    {
        if (id == Descriptors.NameOnClass.Id)
        {
            return RemoveArgument(node);
        }

        return node.FirstAncestorOrSelf<MemberDeclarationSyntax>() switch
        {
            PropertyDeclarationSyntax property when id == Descriptors.PropertyNotPartial.Id =>
                new Fix("Make the property partial", property, property.WithPartial()),
            PropertyDeclarationSyntax property when id == Descriptors.PropertyHasBody.Id && HasBody(property) =>
                new Fix("Let Q4Gen write the accessors", property, property.WithoutBody().WithPartial()),
            PropertyDeclarationSyntax property when id == Descriptors.WrongPropertyType.Id => ChangeType(property),
            PropertyDeclarationSyntax property when id == Descriptors.UnusableProperty.Id =>
                RemoveModifier(property, SyntaxKind.StaticKeyword, SyntaxKind.AbstractKeyword),
            TypeDeclarationSyntax type when id == Descriptors.ClassNotPartial.Id || id == Descriptors.ContainingTypeNotPartial.Id =>
                new Fix($"Make '{type.Identifier.ValueText}' partial", type, type.WithPartial()),
            TypeDeclarationSyntax type when id == Descriptors.UnusableClass.Id =>
                RemoveModifier(type, SyntaxKind.StaticKeyword, SyntaxKind.AbstractKeyword),
            TypeDeclarationSyntax type when id == Descriptors.UnusableContainer.Id =>
                RemoveModifier(type, SyntaxKind.ReadOnlyKeyword, SyntaxKind.RefKeyword, SyntaxKind.StaticKeyword, SyntaxKind.FileKeyword),
            _ => null,
        };
    }

    /// <summary>Whether what is too much stands here, and not in another part of the property.</summary>
    private static bool HasBody(PropertyDeclarationSyntax property) =>
        property.Initializer is not null
        || property.ExpressionBody is not null
        || property.AccessorList!.Accessors.Any(accessor => accessor.Body is not null || accessor.ExpressionBody is not null);

    private static Fix ChangeType(PropertyDeclarationSyntax property)
    {
        TypeSyntax layer = SyntaxFactory.ParseTypeName("global::Q4Gen.Linear4Bit").WithAdditionalAnnotations(Simplifier.Annotation);
        if (property.Type is NullableTypeSyntax)
        {
            layer = SyntaxFactory.NullableType(layer);
        }

        return new Fix("Change the type to Linear4Bit", property, property.WithType(layer.WithTriviaFrom(property.Type)));
    }

    private static Fix? RemoveModifier(MemberDeclarationSyntax declaration, params SyntaxKind[] kinds)
    {
        SyntaxToken modifier = declaration.Modifiers.FirstOrDefault(token => kinds.Contains(token.Kind()));
        return modifier == default
            ? null
            : new Fix($"Remove '{modifier.ValueText}'", declaration, declaration.WithoutModifier(modifier.Kind()));
    }

    private static Fix? RemoveArgument(SyntaxNode node)
    {
        if (node.FirstAncestorOrSelf<AttributeArgumentSyntax>() is not { Parent: AttributeArgumentListSyntax list } argument)
        {
            return null;
        }

        return new Fix("Remove the name", list, list.WithArguments(list.Arguments.Remove(argument)));
    }

    private sealed class Fix(string title, SyntaxNode old, SyntaxNode @new)
    {
        public string Title { get; } = title;

        public SyntaxNode Old { get; } = old;

        public SyntaxNode New { get; } = @new;
    }
}
