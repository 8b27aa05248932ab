using System.Collections.Immutable;
using System.Linq;
using System.Threading;
using Microsoft.CodeAnalysis;
using Q4Gen.Generator.Emit;
using Q4Gen.Generator.Emit.Cpu;
using Q4Gen.Generator.Emit.Gpu;
using Q4Gen.Generator.Incremental;
using Q4Gen.Generator.Model;
using Q4Gen.Generator.Parsing;
using Q4Gen.Generator.Parsing.Tuning;
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
        // Parse: symbols become small equatable records at once. An edit that declares nothing new costs next to nothing;
        // with ForAttributeWithMetadataName every key would bind every attribute of the program again.
        var parser = new TypeParser();
        IncrementalValueProvider<EquatableArray<ParsedType>> types = context.CompilationProvider
            .Select((compilation, cancellation) => parser.Parse(compilation, cancellation))
            .WithTrackingName(TrackingNames.ParseTypes);
        IncrementalValueProvider<ProjectOptions> options = context.AnalyzerConfigOptionsProvider
            .Select(static (provider, _) => ProjectOptions.Read(provider.GlobalOptions, report: null))
            .WithTrackingName(TrackingNames.ParseOptions);
        IncrementalValueProvider<EquatableArray<int>> ptxTargets = options.Select(static (all, _) => all.PtxTargets);
        IncrementalValueProvider<LayerPrecision> precision = options.Select(static (all, _) => all.Precision);
        IncrementalValueProvider<TuningSpec> tuning = context.AdditionalTextsProvider.Collect().Combine(options)
            .Select(static (both, cancellation) => Tuning(both.Left, both.Right.Tuning, cancellation))
            .WithTrackingName(TrackingNames.ParseTuning);
        IncrementalValueProvider<EquatableArray<LayerClassSpec>> layerClasses = types.Combine(precision)
            .Select(static (both, _) => LayerClasses(both.Left, both.Right))
            .WithTrackingName(TrackingNames.ParseLayerClasses);
        IncrementalValueProvider<EquatableArray<ContainerSpec>> containers = types.Combine(precision)
            .Select(static (both, _) => Containers(both.Left, both.Right))
            .WithTrackingName(TrackingNames.ParseContainers);
        IncrementalValueProvider<EquatableArray<LayerShape>> shapes = containers.Combine(layerClasses)
            .Select(static (both, _) => LayerShapes.Of(both.Left, both.Right))
            .WithTrackingName(TrackingNames.Shapes);

        // A GPU kernel has no precision of its own; a program that does not reference the GPU runtime gets none.
        IncrementalValueProvider<bool> hasGpu = context.CompilationProvider
            .Select(static (compilation, _) => compilation.GetTypeByMetadataName(KnownNames.GpuFamily) is not null)
            .WithTrackingName(TrackingNames.GpuReference);
        IncrementalValueProvider<EquatableArray<LayerShape>> gpuShapes = shapes.Combine(hasGpu)
            .Select(static (both, _) => both.Right ? GpuShapes(both.Left) : EquatableArray<LayerShape>.Empty);

        // Plan: each shape once, however many layers have it, with what tuning chose for it alone.
        IncrementalValuesProvider<EquatableArray<KernelPlan>> plans = shapes.Combine(options).Combine(tuning)
            .Select(static (all, _) => Requests(all.Left.Left, all.Left.Right.Targets, all.Right))
            .InSlots(static request => request.Shape.FamilyName)
            .SelectEach(static request => KernelPlanner.Plan(request), TrackingNames.PlanKernels);
        IncrementalValuesProvider<EquatableArray<GpuPlan>> gpuPlans = gpuShapes.Combine(ptxTargets)
            .Select(static (all, _) => all.Left.Select(shape => new GpuRequest(shape, all.Right)).ToEquatableArray())
            .InSlots(static request => request.Shape.FamilyName)
            .SelectEach(static request => GpuPlanner.Plan(request), TrackingNames.PlanGpuKernels);

        // Emit: text from plans and specs alone.
        IncrementalValuesProvider<EquatableArray<SourceFile>> layerClassFiles = layerClasses.InSlots(static spec => spec.Shell.HintName)
            .SelectEach(static spec => LayerClassEmitter.Emit(spec), TrackingNames.EmitLayerClasses);
        IncrementalValuesProvider<EquatableArray<SourceFile>> containerFiles = containers.InSlots(static spec => spec.Shell.HintName)
            .SelectEach(static spec => ContainerEmitter.Emit(spec), TrackingNames.EmitContainers);
        IncrementalValueProvider<EquatableArray<SourceFile>> registration = shapes.Combine(gpuShapes)
            .Select(static (all, _) => RegistrationEmitter.Emit(all.Left, all.Right))
            .WithTrackingName(TrackingNames.EmitRegistration);
        IncrementalValuesProvider<EquatableArray<SourceFile>> kernels = plans
            .SelectEach(static plan => CpuEmitter.Emit(plan), TrackingNames.EmitKernels);
        IncrementalValuesProvider<EquatableArray<SourceFile>> gpuKernels = gpuPlans
            .SelectEach(static plan => GpuEmitter.Emit(plan), TrackingNames.EmitGpuKernels);

        context.RegisterSourceOutput(layerClassFiles, AddAll);
        context.RegisterSourceOutput(containerFiles, AddAll);
        context.RegisterSourceOutput(registration, AddAll);
        context.RegisterSourceOutput(kernels, AddAll);
        context.RegisterSourceOutput(gpuKernels, AddAll);
    }

    private static EquatableArray<LayerClassSpec> LayerClasses(EquatableArray<ParsedType> types, LayerPrecision precision) =>
        types.Where(type => type.LayerClass is not null).Select(type => type.LayerClass!.Resolve(precision)).ToEquatableArray();

    private static EquatableArray<ContainerSpec> Containers(EquatableArray<ParsedType> types, LayerPrecision precision) =>
        types.Where(type => type.Container is not null).Select(type => type.Container!.Resolve(precision)).ToEquatableArray();

    private static TuningSpec Tuning(ImmutableArray<AdditionalText> files, TuningMode mode, CancellationToken cancellation) =>
        mode != TuningMode.Off && TuningFile.Find(files) is { } file && file.GetText(cancellation) is { } text
            ? TuningFile.Parse(file.Path, text, report: null)?.Spec ?? TuningSpec.Empty
            : TuningSpec.Empty;

    private static EquatableArray<KernelRequest> Requests(EquatableArray<LayerShape> shapes, EquatableArray<string> targets, TuningSpec tuning) =>
        shapes.Select(shape => new KernelRequest(shape, targets, tuning.For(shape.LayerName))).ToEquatableArray();

    private static EquatableArray<LayerShape> GpuShapes(EquatableArray<LayerShape> shapes) => shapes
        .Select(shape => shape with { Precision = LayerPrecision.Exact })
        .Distinct()
        .Where(GpuPlanner.HasKernels)
        .ToEquatableArray();

    private static void AddAll(SourceProductionContext output, EquatableArray<SourceFile> files)
    {
        foreach (SourceFile file in files)
        {
            output.AddSource(file.HintName, file.Text);
        }
    }
}
