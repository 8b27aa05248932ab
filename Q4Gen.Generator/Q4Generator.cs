using System.Collections.Immutable;
using System.Linq;
using System.Threading;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Q4Gen.Generator.Emit;
using Q4Gen.Generator.Emit.Cpu;
using Q4Gen.Generator.Emit.Gpu;
using Q4Gen.Generator.Incremental;
using Q4Gen.Generator.Model;
using Q4Gen.Generator.Parsing;
using Q4Gen.Generator.Planning;

namespace Q4Gen.Generator;

/// <summary>
/// Writes kernels for the annotated layers of a program: parse → plan → emit. What it cannot use it leaves out, so that
/// the rest still compiles; <see cref="Diagnostics.Linear4BitAnalyzer"/>, which runs the same rules, says what and why.
/// </summary>
[Generator(LanguageNames.CSharp)]
public sealed class Q4Generator : IIncrementalGenerator
{
    /// <inheritdoc/>
    public void Initialize(IncrementalGeneratorInitializationContext context)
    {
        // Parse: symbols become small equatable records at once.
        IncrementalValuesProvider<LayerClassSpec> layerClasses = context.SyntaxProvider
            .ForAttributeWithMetadataName(KnownNames.LayerAttribute, static (node, _) => node is TypeDeclarationSyntax, ParseLayerClass)
            .Specs(TrackingNames.ParseLayerClasses);
        IncrementalValuesProvider<ContainerSpec> containers = context.SyntaxProvider
            .ForAttributeWithMetadataName(KnownNames.LayerAttribute, static (node, _) => node is PropertyDeclarationSyntax, ParseContainer)
            .Specs(TrackingNames.ParseContainers);
        IncrementalValuesProvider<ContainerSpec> models = context.SyntaxProvider
            .ForAttributeWithMetadataName(KnownNames.ModelAttribute, static (node, _) => node is TypeDeclarationSyntax, ParseModel)
            .Specs(TrackingNames.ParseModels);
        IncrementalValueProvider<LayerPrecision> precision = context.AnalyzerConfigOptionsProvider
            .Select(static (provider, _) => ProjectOptions.Read(provider.GlobalOptions, report: null).Precision)
            .WithTrackingName(TrackingNames.ParseOptions);
        IncrementalValueProvider<ImmutableArray<ContainerSpec>> allContainers = containers
            .Combine(precision).Select(static (both, _) => both.Left.Resolve(both.Right)).Collect()
            .Combine(models.Collect()).Select(static (both, _) => both.Left.AddRange(both.Right));
        IncrementalValueProvider<ImmutableArray<LayerClassSpec>> allLayerClasses = layerClasses
            .Combine(precision).Select(static (both, _) => both.Left.Resolve(both.Right)).Collect();
        IncrementalValueProvider<EquatableArray<LayerShape>> shapes = allContainers.Combine(allLayerClasses)
            .Select(static (both, _) => DistinctShapes(both.Left, both.Right))
            .WithTrackingName(TrackingNames.Shapes);

        // Plan: each shape once, however many layers have it.
        IncrementalValuesProvider<KernelPlan> plans = shapes
            .Select(static (all, _) => all.ToImmutableArray())
            .InSlots(static shape => shape.FamilyName)
            .Select(static (shape, _) => KernelPlanner.Plan(shape))
            .WithTrackingName(TrackingNames.PlanKernels);

        // A GPU kernel has no precision of its own; a program that does not reference the GPU runtime gets none.
        IncrementalValueProvider<bool> hasGpu = context.CompilationProvider
            .Select(static (compilation, _) => compilation.GetTypeByMetadataName(KnownNames.GpuFamily) is not null)
            .WithTrackingName(TrackingNames.GpuReference);
        IncrementalValueProvider<EquatableArray<LayerShape>> gpuShapes = shapes.Combine(hasGpu)
            .Select(static (both, _) => both.Right ? GpuShapes(both.Left) : EquatableArray<LayerShape>.Empty);
        IncrementalValuesProvider<GpuPlan> gpuPlans = gpuShapes
            .Select(static (all, _) => all.ToImmutableArray())
            .InSlots(static shape => shape.FamilyName)
            .Select(static (shape, _) => GpuPlanner.Plan(shape))
            .WithTrackingName(TrackingNames.PlanGpuKernels);

        // Emit: text from plans and specs alone.
        IncrementalValuesProvider<EquatableArray<SourceFile>> kernels = plans
            .Select(static (plan, _) => CpuEmitter.Emit(plan))
            .WithTrackingName(TrackingNames.EmitKernels);
        IncrementalValuesProvider<EquatableArray<SourceFile>> gpuKernels = gpuPlans
            .Select(static (plan, _) => GpuEmitter.Emit(plan))
            .WithTrackingName(TrackingNames.EmitGpuKernels);
        IncrementalValuesProvider<SourceFile> layerClassFiles = allLayerClasses
            .InSlots(static spec => spec.Shell.HintName)
            .Select(static (spec, _) => LayerClassEmitter.Emit(spec))
            .WithTrackingName(TrackingNames.EmitLayerClasses);
        IncrementalValuesProvider<SourceFile> containerFiles = allContainers
            .InSlots(static spec => spec.Shell.HintName)
            .Select(static (spec, _) => ContainerEmitter.Emit(spec))
            .WithTrackingName(TrackingNames.EmitContainers);
        IncrementalValuesProvider<SourceFile> registration = shapes.Combine(gpuShapes)
            .SelectMany(static (all, _) => all.Left.Count == 0 ? [] : ImmutableArray.Create(RegistrationEmitter.Emit(all.Left, all.Right)))
            .WithTrackingName(TrackingNames.EmitRegistration);

        context.RegisterSourceOutput(layerClassFiles, Add);
        context.RegisterSourceOutput(containerFiles, Add);
        context.RegisterSourceOutput(registration, Add);
        context.RegisterSourceOutput(kernels, AddAll);
        context.RegisterSourceOutput(gpuKernels, AddAll);
    }

    private static LayerClassSpec? ParseLayerClass(GeneratorAttributeSyntaxContext context, CancellationToken cancellation) =>
        LayerClassParser.Parse((INamedTypeSymbol)context.TargetSymbol, context.SemanticModel.Compilation, report: null);

    /// <summary>The whole container, from its first annotated property; the others of the same container give nothing.</summary>
    private static ContainerSpec? ParseContainer(GeneratorAttributeSyntaxContext context, CancellationToken cancellation)
    {
        INamedTypeSymbol type = context.TargetSymbol.ContainingType;
        return SymbolEqualityComparer.Default.Equals(type.LayerProperties().FirstOrDefault(), context.TargetSymbol)
            ? ContainerParser.Parse(type, context.SemanticModel.Compilation, report: null)
            : null;
    }

    /// <summary>A container without annotated properties; one that has them comes through those.</summary>
    private static ContainerSpec? ParseModel(GeneratorAttributeSyntaxContext context, CancellationToken cancellation)
    {
        var type = (INamedTypeSymbol)context.TargetSymbol;
        return type.LayerProperties().Any() ? null : ContainerParser.Parse(type, context.SemanticModel.Compilation, report: null);
    }

    private static EquatableArray<LayerShape> DistinctShapes(ImmutableArray<ContainerSpec> containers, ImmutableArray<LayerClassSpec> layerClasses) =>
        containers.SelectMany(container => container.Layers.Select(layer => layer.Shape))
            .Concat(layerClasses.Select(layer => layer.Shape))
            .Distinct()
            .OrderBy(shape => shape.In).ThenBy(shape => shape.Out).ThenBy(shape => shape.Group).ThenBy(shape => shape.Precision)
            .ToEquatableArray();

    private static EquatableArray<LayerShape> GpuShapes(EquatableArray<LayerShape> shapes) => shapes
        .Select(shape => shape with { Precision = LayerPrecision.Exact })
        .Distinct()
        .Where(GpuPlanner.HasKernels)
        .ToEquatableArray();

    private static void AddAll(SourceProductionContext output, EquatableArray<SourceFile> files)
    {
        foreach (SourceFile file in files)
        {
            Add(output, file);
        }
    }

    private static void Add(SourceProductionContext output, SourceFile file) => output.AddSource(file.HintName, file.Text);
}
