using System;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Q4Gen.Generator.Diagnostics;
using Q4Gen.Generator.Model;

namespace Q4Gen.Generator.Parsing;

/// <summary>What a project file says for all of its layers.</summary>
/// <param name="Precision">The precision of layers whose attribute says nothing.</param>
internal sealed record ProjectOptions(LayerPrecision Precision)
{
    /// <summary>The MSBuild property that sets <see cref="Precision"/>.</summary>
    public const string PrecisionProperty = "Q4GenPrecision";

    /// <summary>The MSBuild property that says where the project file is.</summary>
    public const string ProjectFileProperty = "MSBuildProjectFullPath";

    /// <summary>Reads a project's properties; one with an unknown value counts as not set.</summary>
    public static ProjectOptions Read(AnalyzerConfigOptions options, Report? report)
    {
        options.TryGetValue("build_property." + PrecisionProperty, out string? text);
        switch (text?.Trim())
        {
            case null or "" or nameof(LayerPrecision.Exact):
                return new ProjectOptions(LayerPrecision.Exact);
            case nameof(LayerPrecision.Int8Activations):
                return new ProjectOptions(LayerPrecision.Int8Activations);
            default:
                report?.Invoke(Descriptors.UnknownProjectPrecision, ProjectFile(options), text!);
                return new ProjectOptions(LayerPrecision.Exact);
        }
    }

    /// <summary>
    /// The project file, which has no line that would be known here. A path with a # or ; comes cut off there, as the compiler
    /// takes the rest for a comment; such a path is no place.
    /// </summary>
    private static Location ProjectFile(AnalyzerConfigOptions options) =>
        options.TryGetValue("build_property." + ProjectFileProperty, out string? path) && path.EndsWith("proj", StringComparison.OrdinalIgnoreCase)
            ? Location.Create(path, default, default)
            : Location.None;
}
