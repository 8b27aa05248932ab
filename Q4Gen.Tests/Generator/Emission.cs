using System.Collections;
using Microsoft.CodeAnalysis;
using Q4Gen.Testing;

namespace Q4Gen.Tests.Generator;

/// <summary>What a run made anew.</summary>
internal static class Emission
{
    /// <summary>How many outputs of a step are not what they were. A place that became empty is no output.</summary>
    public static int Count(HarnessResult result, string step) => result.Steps.Count(item =>
        item.Name == step
        && item.Reason is IncrementalStepRunReason.New or IncrementalStepRunReason.Modified
        && item.Value is IEnumerable items && items.Cast<object>().Any());
}
