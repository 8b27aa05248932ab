using System.Collections.Generic;
using Q4Gen.Generator.Emit.Cpu;
using Q4Gen.Generator.Model;
using Q4Gen.Generator.Planning;

namespace Q4Gen.Generator.Emit.Gpu;

/// <summary>
/// Prints the GPU kernels of one plan: a family file, those for tensor cores, and as C# the SIMT kernels; in PTX the runtime's
/// generic kernel stands in for them.
/// </summary>
internal static class GpuEmitter
{
    /// <summary>All files of a plan.</summary>
    public static EquatableArray<SourceFile> Emit(GpuPlan plan)
    {
        var files = new List<SourceFile> { GpuFamilyEmitter.Emit(plan) };
        if (!plan.IsPtx)
        {
            files.Add(SimtEmitter.Emit(plan));
        }

        if (plan.HasTensorKernels)
        {
            files.Add(TensorDecodeEmitter.Emit(plan));
            foreach (TensorTilePlan tile in plan.Tiles)
            {
                files.Add(TensorTileEmitter.Emit(plan, tile));
            }
        }

        return files.ToEquatableArray();
    }

    /// <summary>The name of a shape's family.</summary>
    public static string FamilyName(LayerShape shape) =>
        new Format.KernelName("Linear4Bit", shape.In, shape.Out, shape.Group, "", "gpu").ToString();

    /// <summary>The name of a kernel.</summary>
    public static string Name(GpuPlan plan, string role, string isa) => KernelFile.Name(plan.Layer, role, isa);
}
