using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.CompilerServices;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Q4Gen.Generator.Model;

namespace Q4Gen.Generator.Parsing.Outline;

/// <summary>All that parsing a type may depend on beside its own declaration.</summary>
/// <param name="Files">What the program's files share, whatever their order.</param>
/// <param name="References">One a reference.</param>
/// <param name="AssemblyName">The program's name, by which others may give it access.</param>
/// <param name="Language">The version of C#.</param>
internal sealed record Surroundings(ulong Files, EquatableArray<ReferenceVersion> References, string? AssemblyName, LanguageVersion Language)
{
    public static Surroundings Of(Compilation compilation, IEnumerable<FileOutline> files) => new(
        Fingerprint.Sum(files.Select(static file => file.Surroundings)),
        compilation.References.Select(ReferenceVersion.Of).ToEquatableArray(),
        compilation.AssemblyName,
        ((CSharpCompilation)compilation).LanguageVersion);
}

/// <summary>Stands for a reference without keeping it alive. The compiler makes a new object for what changed.</summary>
internal sealed class ReferenceVersion : IEquatable<ReferenceVersion>
{
    private static readonly ConditionalWeakTable<MetadataReference, ReferenceVersion> s_versions = new();

    private ReferenceVersion()
    {
    }

    public static ReferenceVersion Of(MetadataReference reference) => s_versions.GetValue(reference, static _ => new ReferenceVersion());

    public bool Equals(ReferenceVersion? other) => ReferenceEquals(this, other);

    public override bool Equals(object? obj) => ReferenceEquals(this, obj);

    public override int GetHashCode() => RuntimeHelpers.GetHashCode(this);
}
