using System.Collections.Immutable;

namespace Q4Gen.Generator.Parsing.Outline;

/// <summary>What one file says of a type that may hold layers, be one, or be part of one that does.</summary>
/// <param name="MetadataName">Its full name as metadata has it: <c>MyApp.Outer`1+Mlp</c>.</param>
/// <param name="Declaration">Hash of the declaration, without what stands in bodies and in nested types.</param>
/// <param name="AttributeNames">The last names of the attributes on it and on its properties, as they are written.</param>
internal sealed record TypeOutline(string MetadataName, ulong Declaration, ImmutableHashSet<string> AttributeNames);
