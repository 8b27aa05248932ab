using Microsoft.CodeAnalysis;

namespace Q4Gen.Testing;

/// <summary>One output of one pipeline step of the generator, and what the latest run did to it.</summary>
/// <param name="Name">The step's tracking name; empty for a step without one.</param>
/// <param name="Value">The output.</param>
/// <param name="Reason">New, Modified, Unchanged, Cached or Removed.</param>
public sealed record TrackedStep(string Name, object? Value, IncrementalStepRunReason Reason)
{
    /// <summary>Whether the latest run had no need to do anything further with it.</summary>
    public bool IsReused => Reason is IncrementalStepRunReason.Cached or IncrementalStepRunReason.Unchanged;

    /// <summary><c>Plan: Cached (…)</c>.</summary>
    public override string ToString() => $"{(Name.Length == 0 ? "(unnamed step)" : Name)}: {Reason} ({Value})";

    /// <summary>
    /// All outputs of the generator's own steps, found by walking back from its registered outputs; the steps that
    /// the compiler itself puts in front (inputs, attribute look-up) are left out, for they may hold syntax.
    /// </summary>
    internal static IReadOnlyList<TrackedStep> Collect(GeneratorRunResult run)
    {
        var steps = new List<TrackedStep>();
        var seen = new HashSet<IncrementalGeneratorRunStep>(ReferenceEqualityComparer.Instance);
        var open = new Queue<IncrementalGeneratorRunStep>(
            run.TrackedOutputSteps.Values.Concat(run.TrackedSteps.Values).SelectMany(static s => s));
        while (open.TryDequeue(out IncrementalGeneratorRunStep? step))
        {
            if (IsBuiltIn(step.Name) || !seen.Add(step))
            {
                continue;
            }

            steps.AddRange(step.Outputs.Select(o => new TrackedStep(step.Name ?? "", o.Value, o.Reason)));
            foreach ((IncrementalGeneratorRunStep source, _) in step.Inputs)
            {
                open.Enqueue(source);
            }
        }

        return steps;
    }

    private static bool IsBuiltIn(string? name) => name is
        WellKnownGeneratorInputs.Compilation
        or "CompilationOptions"
        or WellKnownGeneratorInputs.ParseOptions
        or WellKnownGeneratorInputs.AdditionalTexts
        or WellKnownGeneratorInputs.AnalyzerConfigOptions
        or WellKnownGeneratorInputs.MetadataReferences
        || (name is not null
            && name.Contains("_ForAttribute", StringComparison.Ordinal)
            && name != "result_ForAttributeWithMetadataName");
}
