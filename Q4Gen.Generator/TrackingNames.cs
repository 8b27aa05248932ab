namespace Q4Gen.Generator;

/// <summary>The names of the pipeline's steps, by which tests follow what an edit re-runs.</summary>
internal static class TrackingNames
{
    public const string ParseTypes = "Q4Gen.Parse.Types";
    public const string ParseLayerClasses = "Q4Gen.Parse.LayerClasses";
    public const string ParseContainers = "Q4Gen.Parse.Containers";
    public const string ParseOptions = "Q4Gen.Parse.Options";
    public const string ParseTuning = "Q4Gen.Parse.Tuning";
    public const string Shapes = "Q4Gen.Shapes";
    public const string PlanKernels = "Q4Gen.Plan.Kernels";
    public const string EmitKernels = "Q4Gen.Emit.Kernels";
    public const string GpuReference = "Q4Gen.Parse.GpuReference";
    public const string PlanGpuKernels = "Q4Gen.Plan.GpuKernels";
    public const string EmitGpuKernels = "Q4Gen.Emit.GpuKernels";
    public const string EmitLayerClasses = "Q4Gen.Emit.LayerClasses";
    public const string EmitContainers = "Q4Gen.Emit.Containers";
    public const string EmitRegistration = "Q4Gen.Emit.Registration";

    /// <summary>All of them.</summary>
    public static readonly string[] All =
    [
        ParseTypes, ParseLayerClasses, ParseContainers, ParseOptions, ParseTuning, Shapes, PlanKernels, EmitKernels, EmitLayerClasses, EmitContainers,
        EmitRegistration, GpuReference, PlanGpuKernels, EmitGpuKernels,
    ];
}
