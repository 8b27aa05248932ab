using System;
using Microsoft.CodeAnalysis;

namespace Q4Gen.Generator.Parsing.Tuning;

/// <summary>A tuning file that cannot be read. It never leaves parsing.</summary>
/// <param name="descriptor">The diagnostic that it becomes.</param>
/// <param name="position">Characters before the place that is wrong.</param>
/// <param name="message">What was found, what was expected.</param>
internal sealed class TuningException(DiagnosticDescriptor descriptor, int position, string message) : Exception(message)
{
    /// <summary>The diagnostic that it becomes.</summary>
    public DiagnosticDescriptor Descriptor { get; } = descriptor;

    /// <summary>Characters before the place that is wrong.</summary>
    public int Position { get; } = position;
}
