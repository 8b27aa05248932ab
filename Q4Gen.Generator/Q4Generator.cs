using Microsoft.CodeAnalysis;

namespace Q4Gen.Generator;

/// <summary>Writes kernels for the annotated layers of a program: parse → plan → emit.</summary>
[Generator(LanguageNames.CSharp)]
public sealed class Q4Generator : IIncrementalGenerator
{
    /// <inheritdoc/>
    public void Initialize(IncrementalGeneratorInitializationContext context)
    {
    }
}
