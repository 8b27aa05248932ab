using System.Linq;
using Q4Gen.Generator.Emit.Cpu;
using Q4Gen.Generator.Model;
using Q4Gen.Generator.Planning;

namespace Q4Gen.Generator.Emit.Gpu;

/// <summary>Prints the family of a shape on GPUs: which kernels there are, for how many rows, and in what groups of threads.</summary>
internal static class GpuFamilyEmitter
{
    public static SourceFile Emit(GpuPlan plan)
    {
        LayerShape shape = plan.Shape;
        string name = GpuEmitter.FamilyName(shape);
        var writer = new SourceWriter();
        KernelFile.Open(
            writer,
            [
                $"Q4Gen: the GPU kernels of a 4-bit linear layer {KernelFile.Describe(plan.Layer)}.",
                "",
                Story(plan),
            ],
            plan.IsPtx ? ["Q4Gen.Gpu.Kernels", "System.Collections.Generic"] : ["ILGPU", "Q4Gen.Gpu.Kernels", "System", "System.Collections.Generic"]);
        writer.Line($"/// <summary>GPU kernels for layers {KernelFile.Describe(plan.Layer).Replace("->", "→")}.</summary>");
        KernelFile.MarkGenerated(writer);
        using (writer.Block($"internal sealed class {name} : {(plan.IsPtx ? "PtxKernelFamily" : "GpuKernelFamily")}"))
        {
            writer.Line("/// <summary>The one instance.</summary>");
            writer.Line($"public static readonly {name} Instance = new();");
            writer.Line();
            string targets = string.Concat(plan.PtxTargets.Select(static target => SourceWriter.Text($", {target}")));
            using (writer.Block(SourceWriter.Text($"private {name}()\n    : base(new Linear4BitShape({shape.In}, {shape.Out}, {shape.Group}), \"{name}\"{targets})")))
            {
            }

            if (plan.HasTensorKernels)
            {
                writer.Line();
                WriteTensorKernels(writer, plan);
            }

            if (!plan.IsPtx)
            {
                WriteSimt(writer, plan, "Gemv");
                WriteSimt(writer, plan, "Rows4");
            }
        }

        return new SourceFile(name + ".g.cs", writer.ToString());
    }

    private static string Story(GpuPlan plan)
    {
        string targets = string.Join(", ", plan.PtxTargets.Select(PtxTarget.NameOf));
        return (plan.IsPtx, plan.HasTensorKernels) switch
        {
            (false, true) => "Tensor cores where the GPU has them (compute capability 8.0), else the SIMT kernels, which specify them.",
            (false, false) => "SIMT kernels alone: groups are no multiple of the 32 columns that tensor cores take at a time.",
            (true, true) => $"PTX for {targets} (Q4GenPtx), which the driver assembles when the program first asks for it.",
            (true, false) => "The runtime's generic kernel: groups are no multiple of the 32 columns that tensor cores take at a time.",
        };
    }

    private static void WriteTensorKernels(SourceWriter writer, GpuPlan plan)
    {
        string type = plan.IsPtx ? "PtxKernel" : "TensorKernel";
        using (writer.Block($"public override IReadOnlyList<{type}> TensorKernels {{ get; }} = new[]", "};"))
        {
            WriteKernel("Decode", GpuPlan.DecodeRows, GpuPlan.PairOutputs, GpuPlan.DecodeRows, 32 * GpuPlan.DecodeWarps, TensorDecodeEmitter.MinGroups);
            foreach (TensorTilePlan tile in plan.Tiles)
            {
                WriteKernel(tile.Role, tile.MaxRows, tile.Outputs, tile.Rows, tile.Threads, tile.MinGroups);
            }
        }

        void WriteKernel(string role, int maxRows, int outputs, int rows, int threads, int minGroups)
        {
            string kernel = GpuEmitter.Name(plan, role, "mma");
            string limit = maxRows == int.MaxValue ? "int.MaxValue" : SourceWriter.Text($"{maxRows}");
            writer.Line($"new {type}(\"{kernel}\", {Class(plan, role)}.{kernel},");
            using (writer.Indent())
            {
                writer.Line(SourceWriter.Text($"MaxRows: {limit}, OutputsPerGroup: {outputs}, RowsPerGroup: {rows}, Threads: {threads}{(plan.IsPtx ? "" : SourceWriter.Text($", MinGroups: {minGroups}"))}),"));
            }
        }
    }

    private static string Class(GpuPlan plan, string role) => GpuEmitter.Name(plan, "Linear4Bit", "mma_" + role.ToLowerInvariant());

    private static void WriteSimt(SourceWriter writer, GpuPlan plan, string role)
    {
        writer.Line();
        writer.Line($"public override Action<ArrayView<int>, ArrayView<Half>, ArrayView<float>, ArrayView<TX>, ArrayView<TY>, int> {role}<TX, TY>() =>".Replace("<Half>", "<global::ILGPU.Half>"));
        using (writer.Indent())
        {
            writer.Line($"{GpuEmitter.Name(plan, "Linear4Bit", "simt")}.{GpuEmitter.Name(plan, role, "simt")};");
        }
    }
}
