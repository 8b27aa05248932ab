using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using System.Threading;
using Microsoft.CodeAnalysis;
using Q4Gen.Generator.Model;
using Q4Gen.Generator.Parsing.Outline;

namespace Q4Gen.Generator.Parsing;

/// <summary>What parsing made of one annotated type.</summary>
/// <param name="LayerClass">The layer that it becomes, or null.</param>
/// <param name="Container">The container that it is, or null.</param>
internal sealed record ParsedType(LayerClassSpec? LayerClass, ContainerSpec? Container);

/// <summary>
/// Parses the annotated types of a program, and those alone whose declarations, or what these depend on, changed since
/// the last time. The result depends on the program alone: what is remembered saves work and decides nothing.
/// </summary>
internal sealed class TypeParser
{
    private static readonly ImmutableHashSet<string> s_attributeNames =
        ["Linear4Bit", "Linear4BitAttribute", "Linear4BitModel", "Linear4BitModelAttribute"];

    // Replaced as a whole, because a driver may run twice at once.
    private Memory? _memory;

    /// <summary>The annotated types in the order of their names.</summary>
    public EquatableArray<ParsedType> Parse(Compilation compilation, CancellationToken cancellation)
    {
        FileOutline[] files = [.. compilation.SyntaxTrees.Select(tree => FileOutline.Of(tree, cancellation))];
        Surroundings surroundings = Surroundings.Of(compilation, files);
        Memory? memory = Volatile.Read(ref _memory);
        Dictionary<string, Remembered>? before = memory?.Surroundings == surroundings ? memory.Types : null;
        var now = new Dictionary<string, Remembered>(StringComparer.Ordinal);
        foreach (KeyValuePair<string, ulong> type in AnnotatedTypes(files))
        {
            cancellation.ThrowIfCancellationRequested();
            Remembered? known = null;
            now[type.Key] = before?.TryGetValue(type.Key, out known) == true && known.Declaration == type.Value
                ? known
                : new Remembered(type.Value, ParseType(type.Key, compilation));
        }

        Volatile.Write(ref _memory, new Memory(surroundings, now));
        return now.OrderBy(static type => type.Key, StringComparer.Ordinal)
            .Select(static type => type.Value.Parsed)
            .OfType<ParsedType>()
            .ToEquatableArray();
    }

    /// <summary>Types with an attribute whose name could be one of ours, with the hash of all their parts.</summary>
    private static Dictionary<string, ulong> AnnotatedTypes(FileOutline[] files)
    {
        // A global alias holds in every file.
        ImmutableHashSet<string> names = s_attributeNames.Union(files.SelectMany(static file => file.Aliases));
        var parts = new Dictionary<string, List<ulong>>(StringComparer.Ordinal);
        foreach (TypeOutline type in files.SelectMany(static file => file.Types).Where(type => type.AttributeNames.Overlaps(names)))
        {
            parts[type.MetadataName] = [];
        }

        foreach (FileOutline file in files)
        {
            var inFile = new Dictionary<string, Fingerprint>(StringComparer.Ordinal);
            foreach (TypeOutline type in file.Types.Where(type => parts.ContainsKey(type.MetadataName)))
            {
                inFile.TryGetValue(type.MetadataName, out Fingerprint all);
                all.Add(type.Declaration);
                inFile[type.MetadataName] = all;
            }

            foreach (KeyValuePair<string, Fingerprint> part in inFile)
            {
                parts[part.Key].Add(part.Value.Value);
            }
        }

        return parts.ToDictionary(static type => type.Key, static type => Fingerprint.Sum(type.Value));
    }

    private static ParsedType? ParseType(string metadataName, Compilation compilation)
    {
        if (compilation.Assembly.GetTypeByMetadataName(metadataName) is not { } type)
        {
            return null;
        }

        var parsed = new ParsedType(
            type.IsLayer() ? LayerClassParser.Parse(type, compilation, report: null) : null,
            type.IsContainer() ? ContainerParser.Parse(type, compilation, report: null) : null);
        return parsed is { LayerClass: null, Container: null } ? null : parsed;
    }

    /// <summary>What the last run parsed.</summary>
    private sealed record Memory(Surroundings Surroundings, Dictionary<string, Remembered> Types);

    private sealed record Remembered(ulong Declaration, ParsedType? Parsed);
}
