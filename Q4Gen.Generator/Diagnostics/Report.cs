using Microsoft.CodeAnalysis;

namespace Q4Gen.Generator.Diagnostics;

/// <summary>
/// Where parsing says what is wrong. The analyzer listens; the generator, which runs the very same rules and leaves out
/// what they reject, does not.
/// </summary>
internal delegate void Report(DiagnosticDescriptor descriptor, Location? location, params object[] arguments);
