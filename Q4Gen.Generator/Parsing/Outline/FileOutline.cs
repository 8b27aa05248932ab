using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Threading;
using Microsoft.CodeAnalysis;

namespace Q4Gen.Generator.Parsing.Outline;

/// <summary>What a file declares, in hashes: enough to tell whether an edit could change what parsing finds.</summary>
/// <param name="Surroundings">
/// Hash of all that parsing a type of <em>any</em> file may look at: usings, types with their attributes, bases and
/// constructors, constants, members that may hold layers, methods that load.
/// </param>
/// <param name="Types">Types that may need parsing, or be part of one that does.</param>
/// <param name="Aliases">Names that the file's using directives introduce.</param>
internal sealed record FileOutline(ulong Surroundings, ImmutableArray<TypeOutline> Types, ImmutableArray<string> Aliases)
{
    // An edit makes one new tree; the others, and what was found in them, stay.
    private static readonly ConditionalWeakTable<SyntaxTree, FileOutline> s_outlines = new();

    public static FileOutline Of(SyntaxTree tree, CancellationToken cancellation)
    {
        if (!s_outlines.TryGetValue(tree, out FileOutline? outline))
        {
            outline = OutlineWalker.Walk(tree.GetRoot(cancellation), cancellation);
            outline = s_outlines.GetValue(tree, _ => outline);
        }

        return outline;
    }
}
