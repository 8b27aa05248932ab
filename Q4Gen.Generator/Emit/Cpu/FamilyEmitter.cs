using System.Collections.Generic;
using System.Linq;
using Microsoft.CodeAnalysis.CSharp;
using Q4Gen.Format;
using Q4Gen.Generator.Model;
using Q4Gen.Generator.Planning;

namespace Q4Gen.Generator.Emit.Cpu;

/// <summary>Prints the family of a shape: which kernels there are, and which one this processor gets.</summary>
internal static class FamilyEmitter
{
    public static SourceFile Emit(KernelPlan plan)
    {
        LayerShape shape = plan.Shape;
        var writer = new SourceWriter();
        KernelFile.Open(
            writer,
            [
                $"Q4Gen: the kernels of a 4-bit linear layer {KernelFile.Describe(plan)}.",
                "",
                $"Layout {PanelLayout.Id}: {plan.Panels} panels of 16 output features, {plan.Steps} steps of 8 input features. A word holds",
                "eight columns of one row, column 0 in the lowest nibble, value = nibble - 8. Scales: F16, 16 a group.",
                .. DescribeTuning(plan),
            ],
            "Q4Gen.Kernels",
            "System.Runtime.Intrinsics",
            "System.Runtime.Intrinsics.Arm",
            "System.Runtime.Intrinsics.X86");
        writer.Line($"/// <summary>Kernels for layers {KernelFile.Describe(plan).Replace("->", "→")}.</summary>");
        KernelFile.MarkGenerated(writer);
        using (writer.Block($"internal sealed class {shape.FamilyName} : KernelFamily"))
        {
            writer.Line("/// <summary>The one instance.</summary>");
            writer.Line($"public static readonly {shape.FamilyName} Instance = new();");
            writer.Line();
            using (writer.Block(SourceWriter.Text($"private {shape.FamilyName}()\n    : base(new Linear4BitShape({shape.In}, {shape.Out}, {shape.Group}){(shape.Precision == LayerPrecision.Int8Activations ? ", Linear4BitPrecision.Int8Activations" : "")})")))
            {
            }

            writer.Line();
            using (writer.Block("public override Linear4BitKernel? Create(KernelIsa isa) => isa switch", "};"))
            {
                foreach (IsaPlan isa in plan.Isas)
                {
                    VectorIsa vector = CpuEmitter.VectorIsaOf(plan, isa.Isa);
                    foreach (TunedPlan tuned in plan.TunedKernels.Where(tuned => tuned.Plan.Isa == isa.Isa))
                    {
                        writer.Line($"KernelIsa.{vector.EnumMember} when {vector.IsSupported} && {IsMachine(tuned.Machine)} => new {KernelFile.Name(plan with { TunedFor = tuned }, "Linear4Bit", vector.Name)}(),");
                    }

                    writer.Line($"KernelIsa.{vector.EnumMember} when {vector.IsSupported} => new {KernelFile.Name(plan, "Linear4Bit", vector.Name)}(),");
                }

                writer.Line($"KernelIsa.Scalar => new {KernelFile.Name(plan, "Linear4Bit", "scalar")}(),");
                writer.Line("_ => null,");
            }
        }

        return new SourceFile(shape.FamilyName + ".g.cs", writer.ToString());
    }

    /// <summary>What each machine of the tuning file gets; how, each kernel's own file says.</summary>
    private static IEnumerable<string> DescribeTuning(KernelPlan plan)
    {
        if (plan.Tuned.Count == 0)
        {
            yield break;
        }

        yield return "";
        yield return "Tuned; asked for once, when a program first uses the shape:";
        foreach (IGrouping<TuningMachine, TunedPlan> machine in plan.Tuned.GroupBy(static tuned => tuned.Machine))
        {
            string[] own = [.. machine.Intersect(plan.TunedKernels).Select(static tuned => IsaNames.NameOf(tuned.Plan.Isa))];
            yield return $"{machine.Key.Id} ({machine.Key.Describe()}): {(own.Length == 0 ? "what every machine gets was best" : "its own " + string.Join(" and ", own))}.";
        }
    }

    private static string IsMachine(TuningMachine machine) => SourceWriter.Text(
        $"TargetMachine.Is({SymbolDisplay.FormatLiteral(machine.Vendor, quote: true)}, family: {machine.Family}, model: {machine.Model}, threads: {machine.Threads}, {SymbolDisplay.FormatLiteral(machine.Rid, quote: true)})");
}
