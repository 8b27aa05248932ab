using System.Collections.Immutable;
using System.Linq;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Q4Gen.Generator.Model;
using Q4Gen.Generator.Parsing;

namespace Q4Gen.Generator.Diagnostics;

/// <summary>Reports misuse of Q4Gen's attributes, by the rules that the generator itself follows.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class Linear4BitAnalyzer : DiagnosticAnalyzer
{
    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics => Descriptors.All;

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(start =>
        {
            if (start.Compilation.GetTypeByMetadataName(KnownNames.LayerAttribute) is not null)
            {
                start.RegisterSymbolAction(Analyze, SymbolKind.NamedType);
                if (start.Compilation.GetTypeByMetadataName(KnownNames.GpuFamily) is not null)
                {
                    start.RegisterSymbolAction(AnalyzeGpuPrecision, SymbolKind.NamedType, SymbolKind.Property);
                }

                start.RegisterCompilationEndAction(static end =>
                {
                    Report report = (descriptor, location, arguments) => end.ReportDiagnostic(Diagnostic.Create(descriptor, location, arguments));
                    ProjectOptions.Read(end.Options.AnalyzerConfigOptionsProvider.GlobalOptions, report);
                    TuningChecks.Check(end.Compilation, end.Options, report, end.CancellationToken);
                });
            }
        });
    }

    /// <summary>Says where a layer's precision stops at the processor; for what its own attribute says, not the project's property.</summary>
    private static void AnalyzeGpuPrecision(SymbolAnalysisContext context)
    {
        if (context.Symbol.FindAttribute(KnownNames.LayerAttribute) is { } attribute
            && attribute.NamedArguments.Any(static argument => argument is { Key: "Precision", Value.Value: (int)LayerPrecision.Int8Activations }))
        {
            context.ReportDiagnostic(Diagnostic.Create(Descriptors.GpuPrecision, attribute.LocationOf("Precision"), context.Symbol.Name));
        }
    }

    private static void Analyze(SymbolAnalysisContext context)
    {
        var type = (INamedTypeSymbol)context.Symbol;
        Report report = (descriptor, location, arguments) =>
            context.ReportDiagnostic(Diagnostic.Create(descriptor, location, arguments));
        if (type.IsLayer())
        {
            LayerClassParser.Parse(type, context.Compilation, report);
        }

        if (type.IsContainer())
        {
            ContainerParser.Parse(type, context.Compilation, report);
        }
    }
}
