using System;
using System.Linq;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Q4Gen.Generator.Diagnostics;
using Q4Gen.Generator.Model;
using Q4Gen.Generator.Planning;

namespace Q4Gen.Generator.Parsing;

/// <summary>What a project does with a tuning file.</summary>
internal enum TuningMode
{
    /// <summary>Uses what it says, and the planner's choices for the rest.</summary>
    Prefer,

    /// <summary>As if there were none.</summary>
    Off,

    /// <summary>It must say something about every layer.</summary>
    Require,
}

/// <summary>What a project file says for all of its layers.</summary>
/// <param name="Precision">The precision of layers whose attribute says nothing.</param>
/// <param name="Tuning">What becomes of a tuning file.</param>
/// <param name="Targets">Names of the instruction sets that get kernels, beside the scalar one, in order.</param>
/// <param name="PtxTargets">What GPU kernels are compiled to PTX for, as <c>sm_80</c> is 80, ascending; none where ILGPU compiles them when the program runs.</param>
internal sealed record ProjectOptions(LayerPrecision Precision, TuningMode Tuning, EquatableArray<string> Targets, EquatableArray<int> PtxTargets)
{
    /// <summary>The MSBuild property that sets <see cref="Precision"/>.</summary>
    public const string PrecisionProperty = "Q4GenPrecision";

    /// <summary>The MSBuild property that sets <see cref="Tuning"/>.</summary>
    public const string TuningProperty = "Q4GenTuning";

    /// <summary>
    /// The MSBuild property that sets <see cref="Targets"/>. The compiler takes what follows a semicolon for a comment, so
    /// that the list comes with commas, under a name of its own.
    /// </summary>
    public const string TargetsProperty = "Q4GenTargets", TargetListProperty = "_Q4GenTargets";

    /// <summary>The MSBuild property that sets <see cref="PtxTargets"/>, and the one with commas.</summary>
    public const string PtxProperty = "Q4GenPtx", PtxListProperty = "_Q4GenPtx";

    /// <summary>The MSBuild property that says where the project file is.</summary>
    public const string ProjectFileProperty = "MSBuildProjectFullPath";

    /// <summary>Reads a project's properties; one with an unknown value counts as not set.</summary>
    public static ProjectOptions Read(AnalyzerConfigOptions options, Report? report) => new(
        OneOf(options, PrecisionProperty, Descriptors.UnknownProjectPrecision, report, LayerPrecision.Exact, LayerPrecision.Int8Activations),
        OneOf(options, TuningProperty, Descriptors.UnknownTuningMode, report, TuningMode.Prefer, TuningMode.Off, TuningMode.Require),
        ReadTargets(options, report),
        ReadPtxTargets(options, report));

    /// <summary>
    /// The project file, which has no line that would be known here. A path with a # or ; comes cut off there, as the compiler
    /// takes the rest for a comment; such a path is no place.
    /// </summary>
    public static Location ProjectFile(AnalyzerConfigOptions options) =>
        options.TryGetValue("build_property." + ProjectFileProperty, out string? path) && path.EndsWith("proj", StringComparison.OrdinalIgnoreCase)
            ? Location.Create(path, default, default)
            : Location.None;

    /// <summary>The value that a property names; the first where it is not set.</summary>
    private static T OneOf<T>(AnalyzerConfigOptions options, string property, DiagnosticDescriptor unknown, Report? report, params T[] values)
        where T : struct, Enum
    {
        string text = Text(options, property);
        int index = text.Length == 0 ? 0 : Array.FindIndex(values, value => value.ToString() == text);
        if (index < 0)
        {
            report?.Invoke(unknown, ProjectFile(options), text);
        }

        return values[Math.Max(index, 0)];
    }

    private static EquatableArray<string> ReadTargets(AnalyzerConfigOptions options, Report? report)
    {
        string[] names = Names(options, TargetListProperty);
        string[] unknown = [.. names.Where(static name => IsaNames.Find(name) is null)];
        if (unknown.Length > 0)
        {
            report?.Invoke(Descriptors.UnknownTarget, ProjectFile(options), unknown[0], string.Join(", ", IsaNames.All));
        }

        return names.Length == 0 || unknown.Length > 0
            ? IsaNames.All
            : names.OrderBy(static name => name, StringComparer.Ordinal).ToEquatableArray();
    }

    private static EquatableArray<int> ReadPtxTargets(AnalyzerConfigOptions options, Report? report)
    {
        string[] names = Names(options, PtxListProperty);
        string[] unknown = [.. names.Where(static name => PtxTarget.Find(name) is null)];
        if (unknown.Length > 0)
        {
            report?.Invoke(Descriptors.UnknownPtxTarget, ProjectFile(options), unknown[0], string.Join(", ", PtxTarget.All.Select(PtxTarget.NameOf)));
        }

        return names.Select(PtxTarget.Find).OfType<int>().OrderBy(static target => target).ToEquatableArray();
    }

    /// <summary>The names in a list with commas, each once.</summary>
    private static string[] Names(AnalyzerConfigOptions options, string property) =>
        [.. Text(options, property).Split(',').Select(static name => name.Trim()).Where(static name => name.Length > 0).Distinct()];

    private static string Text(AnalyzerConfigOptions options, string property) =>
        options.TryGetValue("build_property." + property, out string? text) ? text.Trim() : "";
}
