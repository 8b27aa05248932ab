using System;
using Microsoft.CodeAnalysis;

namespace Q4Gen.Generator.Incremental;

internal static class PipelineExtensions
{
    /// <summary>Drops what parsing rejected, and names the step.</summary>
    public static IncrementalValuesProvider<T> Specs<T>(this IncrementalValuesProvider<T?> specs, string trackingName)
        where T : class, IEquatable<T> =>
        specs.Where(static spec => spec is not null).Select(static (spec, _) => spec!).WithTrackingName(trackingName);
}
