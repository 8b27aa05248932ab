using Q4Gen.Format;
using Q4Gen.Generator.Model;
using Q4Gen.Generator.Planning;

namespace Q4Gen.Generator.Emit.Cpu;

/// <summary>Prints the scalar kernel: the specification that every other kernel of the shape is tested against.</summary>
internal static class ExactScalarEmitter
{
    public static SourceFile Emit(KernelPlan plan)
    {
        LayerShape shape = plan.Shape;
        string name = KernelFile.Name(plan, "Linear4Bit", "scalar");
        string gemm = KernelFile.Name(plan, "Gemm", "scalar");
        var writer = new SourceWriter();
        KernelFile.Open(
            writer,
            [
                $"Q4Gen: scalar kernel of a 4-bit linear layer {KernelFile.Describe(plan)}.",
                "",
                "The specification: y[o] = bias[o] + sum over groups of scale[o, g] * (sum over k in g of (nibble - 8) * x[k]),",
                "summed in float64. Any group size; runs where no vector kernel can.",
            ],
            "Q4Gen.Kernels",
            "System",
            "System.Runtime.CompilerServices");
        writer.Line($"/// <summary>Scalar kernel for layers {KernelFile.Describe(plan).Replace("->", "→")}.</summary>");
        KernelFile.MarkGenerated(writer);
        using (writer.Block($"internal sealed class {name} : Linear4BitKernel"))
        {
            writer.Line($"private const int In = {shape.In}, Out = {shape.Out}, Group = {shape.Group}, Groups = {plan.Groups};");
            writer.Line($"private const int PanelRows = {PanelLayout.PanelRows}, StepColumns = {PanelLayout.StepColumns}, Steps = {plan.Steps};");
            writer.Line();
            KernelMembers.Write(writer, plan, name, "Scalar");
            writer.Line();
            writer.Line("public override void Run(in KernelCall call, int firstPanel, int endPanel) =>");
            using (writer.Indent())
            {
                writer.Line($"{gemm}(call, firstPanel * PanelRows, Math.Min(endPanel * PanelRows, Out));");
            }

            writer.Line();
            using (writer.Block($"private static void {gemm}(in KernelCall call, int firstOutput, int endOutput)"))
            {
                WriteLoops(writer);
            }
        }

        return new SourceFile(name + ".g.cs", writer.ToString());
    }

    private static void WriteLoops(SourceWriter writer)
    {
        using (writer.Block("for (int output = firstOutput; output < endOutput; output++)"))
        {
            writer.Line("int panel = output / PanelRows;");
            writer.Line("int lane = output % PanelRows;");
            writer.Line("ref int words = ref Unsafe.Add(ref call.Weights, (nint)panel * (Steps * PanelRows) + lane);");
            writer.Line("ref short scales = ref Unsafe.Add(ref call.Scales, (nint)panel * (Groups * PanelRows) + lane);");
            using (writer.Block("for (int row = 0; row < call.Rows; row++)"))
            {
                writer.Line("ref float x = ref Unsafe.Add(ref call.X, (nint)row * In);");
                writer.Line("double sum = Unsafe.Add(ref call.Bias, output);");
                using (writer.Block("for (int group = 0; group < Groups; group++)"))
                {
                    writer.Line("int firstColumn = group * Group;");
                    writer.Line("int endColumn = firstColumn + Math.Min(Group, In - firstColumn);");
                    writer.Line("double partial = 0;");
                    using (writer.Block("for (int column = firstColumn; column < endColumn; column++)"))
                    {
                        writer.Line("int word = Unsafe.Add(ref words, column / StepColumns * PanelRows);");
                        writer.Line("int nibble = (word >> (4 * (column % StepColumns))) & 0xF;");
                        writer.Line("partial += (nibble - 8) * (double)Unsafe.Add(ref x, column);");
                    }

                    writer.Line();
                    writer.Line("sum += PanelScales.Load(ref scales, group * PanelRows) * partial;");
                }

                writer.Line();
                writer.Line("Unsafe.Add(ref call.Y, (nint)row * Out + output) = (float)sum;");
            }
        }
    }
}
