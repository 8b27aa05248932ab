using Q4Gen.Format;
using Q4Gen.Generator.Model;
using Q4Gen.Generator.Planning;

namespace Q4Gen.Generator.Emit.Cpu;

/// <summary>Prints the scalar kernel with 8-bit activations: the specification, whose bits every other kernel of the shape gives.</summary>
internal static class Int8ScalarEmitter
{
    public static SourceFile Emit(KernelPlan plan)
    {
        LayerShape shape = plan.Shape;
        string name = KernelFile.Name(plan, "Linear4Bit", "scalar");
        var writer = new SourceWriter();
        KernelFile.Open(
            writer,
            [
                $"Q4Gen: scalar kernel of a 4-bit linear layer {KernelFile.Describe(plan)}.",
                "",
                "The specification of precision Int8Activations. A row of x is cut into blocks: groups, or pieces of them of",
                $"{PanelLayout.MaxBlockColumns} columns. unit = max|x| / 127 over a block, q[k] = round(x[k] * (127 / max|x|)), half to even;",
                "y[o] = bias[o] + sum over blocks of scale[o, g] * unit * (sum over k of (nibble - 8) * q[k]), the inner sum in",
                "integers, the outer one in float32 with fused multiply-adds, block by block.",
            ],
            "Q4Gen.Kernels",
            "System",
            "System.Runtime.CompilerServices");
        writer.Line($"/// <summary>Scalar kernel for layers {KernelFile.Describe(plan).Replace("->", "→")}.</summary>");
        KernelFile.MarkGenerated(writer);
        using (writer.Block($"internal sealed class {name} : Int8Kernel"))
        {
            writer.Line($"private const int In = {shape.In}, Out = {shape.Out}, Group = {shape.Group}, Groups = {plan.Groups}, BlockColumns = {PanelLayout.MaxBlockColumns};");
            writer.Line($"private const int PanelRows = {PanelLayout.PanelRows}, StepColumns = {PanelLayout.StepColumns}, Steps = {plan.Steps};");
            writer.Line();
            KernelMembers.Write(writer, plan, name, "Scalar");
            writer.Line();
            using (writer.Block("public override void Run(in KernelCall call, int firstPanel, int endPanel)"))
            {
                writer.Line("// The rounded row, and behind it the unit of each column's block.");
                writer.Line("ref float rounded = ref KernelCall.Scratch(2 * In);");
                writer.Line("ref float units = ref Unsafe.Add(ref rounded, In);");
                writer.Line("int endOutput = Math.Min(endPanel * PanelRows, Out);");
                using (writer.Block("for (int row = 0; row < call.Rows; row++)"))
                {
                    writer.Line("Round(ref Unsafe.Add(ref call.X, (nint)row * In), ref rounded, ref units);");
                    using (writer.Block("for (int output = firstPanel * PanelRows; output < endOutput; output++)"))
                    {
                        writer.Line("float sum = Sum(call, output, ref rounded, ref units);");
                        writer.Line("Unsafe.Add(ref call.Y, (nint)row * Out + output) = Unsafe.Add(ref call.Bias, output) + sum;");
                    }
                }
            }

            writer.Line();
            WriteRound(writer);
            writer.Line();
            WriteSum(writer);
            writer.Line();
            writer.Line("private static int EndOfBlock(int column) =>");
            using (writer.Indent())
            {
                writer.Line(plan.Groups == 1
                    ? "Math.Min(column + BlockColumns, In);"
                    : "Math.Min(Math.Min(column + BlockColumns, (column / Group + 1) * Group), In);");
            }
        }

        return new SourceFile(name + ".g.cs", writer.ToString());
    }

    private static void WriteRound(SourceWriter writer)
    {
        using (writer.Block("private static void Round(ref float x, ref float rounded, ref float units)"))
        using (writer.Block("for (int column = 0; column < In;)"))
        {
            writer.Line("int end = EndOfBlock(column);");
            writer.Line("float max = 0;");
            using (writer.Block("for (int i = column; i < end; i++)"))
            {
                writer.Line("max = MathF.Max(max, MathF.Abs(Unsafe.Add(ref x, i)));");
            }

            writer.Line();
            writer.Line("bool isZero = max < Int8Activations.Smallest;");
            writer.Line("float unit = isZero ? 0 : max / Int8Activations.Largest;");
            writer.Line("float inverse = isZero ? 0 : Int8Activations.Largest / max;");
            using (writer.Block("for (; column < end; column++)"))
            {
                writer.Line("Unsafe.Add(ref rounded, column) = MathF.Round(Unsafe.Add(ref x, column) * inverse);");
                writer.Line("Unsafe.Add(ref units, column) = unit;");
            }
        }
    }

    private static void WriteSum(SourceWriter writer)
    {
        using (writer.Block("private static float Sum(in KernelCall call, int output, ref float rounded, ref float units)"))
        {
            writer.Line("int panel = output / PanelRows;");
            writer.Line("int lane = output % PanelRows;");
            writer.Line("ref int words = ref Unsafe.Add(ref call.Weights, (nint)panel * (Steps * PanelRows) + lane);");
            writer.Line("ref short scales = ref Unsafe.Add(ref call.Scales, (nint)panel * (Groups * PanelRows) + lane);");
            writer.Line("float total = 0;");
            using (writer.Block("for (int column = 0; column < In;)"))
            {
                writer.Line("float scale = PanelScales.Load(ref scales, column / Group * PanelRows) * Unsafe.Add(ref units, column);");
                writer.Line("int end = EndOfBlock(column);");
                writer.Line("int sum = 0;");
                using (writer.Block("for (; column < end; column++)"))
                {
                    writer.Line("int word = Unsafe.Add(ref words, column / StepColumns * PanelRows);");
                    writer.Line("int nibble = (word >> (4 * (column % StepColumns))) & 0xF;");
                    writer.Line("sum += (nibble - 8) * unchecked((int)Unsafe.Add(ref rounded, column));");
                }

                writer.Line();
                writer.Line("total = MathF.FusedMultiplyAdd(sum, scale, total);");
            }

            writer.Line();
            writer.Line("return total;");
        }
    }
}
