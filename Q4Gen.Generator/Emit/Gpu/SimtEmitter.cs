using System.Linq;
using Q4Gen.Format;
using Q4Gen.Generator.Emit.Cpu;
using Q4Gen.Generator.Model;
using Q4Gen.Generator.Planning;

namespace Q4Gen.Generator.Emit.Gpu;

/// <summary>
/// Prints the SIMT kernels, in C# that any GPU, and ILGPU's emulation of one, can run: the specification of what the
/// layer is on a GPU.
/// </summary>
internal static class SimtEmitter
{
    /// <summary>Steps that a warp takes at a time: 32 lanes, four of which share a step.</summary>
    private const int WarpSteps = 8;

    /// <summary>Loads of weights that one row of x has in flight.</summary>
    private const int Unroll = 4;

    private static readonly string[] s_outputs = ["A", "B", "C", "D"];

    public static SourceFile Emit(GpuPlan plan)
    {
        string name = GpuEmitter.Name(plan, "Linear4Bit", "simt");
        KernelPlan layer = plan.Layer;
        var writer = new SourceWriter();
        KernelFile.Open(
            writer,
            [
                $"Q4Gen: SIMT kernels of a 4-bit linear layer {KernelFile.Describe(layer)}.",
                "",
                "A warp computes a panel of 16 outputs. Lane = 4 * step + quad: the warp takes eight steps of eight columns at a time,",
                "each lane of which four outputs at one step, so that it loads 16 bytes of weights; the steps are added in the end.",
                "Layout: panels of R16K8, in each word the even columns in the low half, the odd ones in the high half.",
            ],
            "ILGPU",
            "Q4Gen.Gpu.Kernels");
        writer.Line($"/// <summary>SIMT kernels for layers {KernelFile.Describe(layer).Replace("->", "→")}.</summary>");
        KernelFile.MarkGenerated(writer);
        using (writer.Block($"internal static class {name}"))
        {
            writer.Line($"private const int In = {layer.Shape.In}, Out = {layer.Shape.Out}, Steps = {layer.Steps}, Groups = {layer.Groups}, GroupSteps = {layer.GroupSteps};");
            if (layer.TailColumns > 0)
            {
                writer.Line();
                writer.Line("// The last step has fewer columns.");
                writer.Line($"private const int WholeSteps = {WholeSteps(layer)}, TailColumns = {layer.TailColumns};");
            }

            writer.Line();
            WriteKernel(writer, plan, rows: 1);
            writer.Line();
            WriteKernel(writer, plan, rows: 4);
        }

        return new SourceFile(name + ".g.cs", writer.ToString());
    }

    private static void WriteKernel(SourceWriter writer, GpuPlan plan, int rows)
    {
        string role = KernelFile.RowsRole(rows);
        writer.Line($"/// <summary>{(rows == 1 ? "One row" : $"{rows} rows")} of x for a warp.</summary>");
        writer.Line($"/// <param name=\"words\">Weights, <c>[{plan.Layer.Panels} panels][{plan.Layer.Steps} steps][16]</c>.</param>");
        writer.Line($"/// <param name=\"scales\">Scales, <c>[{plan.Layer.Panels} panels][{plan.Layer.Groups} groups][16]</c>.</param>");
        writer.Line("/// <param name=\"bias\">Bias, padded to whole panels.</param>");
        writer.Line("/// <param name=\"x\"><c>[rows, In]</c>.</param>");
        writer.Line("/// <param name=\"y\"><c>[rows, Out]</c>.</param>");
        writer.Line("/// <param name=\"rows\">Rows of x.</param>");
        writer.Line($"public static void {GpuEmitter.Name(plan, role, "simt")}<TX, TY>(");
        using (writer.Indent())
        {
            writer.Line("ArrayView<int> words, ArrayView<global::ILGPU.Half> scales, ArrayView<float> bias, ArrayView<TX> x, ArrayView<TY> y, int rows)");
            writer.Line("where TX : unmanaged, IActivation<TX>");
            writer.Line("where TY : unmanaged, IActivation<TY>");
        }

        using (writer.Block())
        using (writer.Block("unchecked"))
        {
            writer.Line("int quad = Warp.LaneIdx & 3, firstStep = Warp.LaneIdx >> 2, panel = Grid.IdxX;");
            writer.Line($"int row0 = Grid.IdxY{(rows == 1 ? "" : $" * {rows}")};");
            for (int r = 1; r < rows; r++)
            {
                writer.Line($"int row{r} = IntrinsicMath.Min(row0 + {r}, rows - 1);");
            }

            writer.Line();
            writer.Line("ArrayView<Four<int>> weights = words.Cast<Four<int>>().SubView(panel * (Steps * 4), Steps * 4);");
            writer.Line("ArrayView<Four<global::ILGPU.Half>> scale4 = scales.Cast<Four<global::ILGPU.Half>>().SubView(panel * (Groups * 4), Groups * 4);");
            for (int r = 0; r < rows; r++)
            {
                writer.Line(HasFours(plan.Layer)
                    ? $"ArrayView<Four<TX>> x{r} = x.SubView((long)row{r} * In, In).Cast<Four<TX>>();"
                    : $"ArrayView<Two<TX>> x{r} = x.SubView((long)row{r} * In, In).Cast<Two<TX>>();");
            }

            writer.Line();
            for (int r = 0; r < rows; r++)
            {
                writer.Line("float " + string.Join(", ", s_outputs.Select(o => $"sum{o}{r} = 0")) + ";");
            }

            WriteSteps(writer, plan.Layer, rows);
            WriteTail(writer, plan.Layer, rows);
            WriteResults(writer, plan.Layer, rows);
        }
    }

    private static void WriteSteps(SourceWriter writer, KernelPlan layer, int rows)
    {
        int whole = WholeSteps(layer);
        string end = layer.TailColumns > 0 ? "WholeSteps" : "Steps";
        if (whole == 0)
        {
            return;
        }

        writer.Line();
        writer.Line("int step = firstStep;");
        int unroll = rows == 1 && whole >= WarpSteps * Unroll ? Unroll : 1;
        if (unroll > 1)
        {
            writer.Line($"// Steps of {unroll} loads, all of which are on their way before the first is used.");
            using (writer.Block($"for (; step < {end} - {(unroll - 1) * WarpSteps}; step += {unroll * WarpSteps})"))
            {
                for (int i = 0; i < unroll; i++)
                {
                    writer.Line($"Four<int> words{i} = weights[{Index("step", i, 4)} + quad];");
                }

                for (int i = 0; i < unroll; i++)
                {
                    WriteStep(writer, layer, rows, $"words{i}", i);
                }
            }

            writer.Line();
        }

        using (writer.Block($"for (; step < {end}; step += {WarpSteps})"))
        {
            writer.Line("Four<int> word = weights[step * 4 + quad];");
            WriteStep(writer, layer, rows, "word", 0);
        }
    }

    private static void WriteStep(SourceWriter writer, KernelPlan layer, int rows, string words, int ahead)
    {
        string suffix = ahead == 0 && words == "word" ? "" : SourceWriter.Text($"{ahead}");
        string step = ahead == 0 ? "step" : SourceWriter.Text($"(step + {ahead * WarpSteps})");
        writer.Line($"Four<global::ILGPU.Half> scale{suffix} = scale4[{(layer.Groups == 1 ? "" : $"{step} / GroupSteps * 4 + ")}quad];");
        for (int r = 0; r < rows; r++)
        {
            for (int half = 0; half < 2; half++)
            {
                string name = $"{(half == 0 ? "low" : "high")}{suffix}_{r}";
                writer.Line(HasFours(layer)
                    ? $"Four<TX> {name} = x{r}[{step} * 2{(half == 0 ? "" : " + 1")}];"
                    : $"Four<TX> {name} = SplitNibbles.Load(x{r}, {step} * 4{(half == 0 ? "" : " + 2")});");
            }

            foreach (string o in s_outputs)
            {
                writer.Line($"sum{o}{r} += SplitNibbles.Dot({words}.{o}, low{suffix}_{r}, high{suffix}_{r}) * (float)scale{suffix}.{o};");
            }
        }
    }

    private static void WriteTail(SourceWriter writer, KernelPlan layer, int rows)
    {
        if (layer.TailColumns == 0)
        {
            return;
        }

        writer.Line();
        using (writer.Block($"if (firstStep == {WholeSteps(layer) % WarpSteps})"))
        {
            writer.Line("Four<int> word = weights[WholeSteps * 4 + quad];");
            writer.Line("Four<global::ILGPU.Half> scale = scale4[(Groups - 1) * 4 + quad];");
            for (int r = 0; r < rows; r++)
            {
                writer.Line($"ArrayView<TX> last{r} = x.SubView((long)row{r} * In + WholeSteps * {PanelLayout.StepColumns}, TailColumns);");
                foreach (string o in s_outputs)
                {
                    writer.Line($"sum{o}{r} += SplitNibbles.Dot(word.{o}, last{r}, 0, TailColumns) * (float)scale.{o};");
                }
            }
        }
    }

    private static void WriteResults(SourceWriter writer, KernelPlan layer, int rows)
    {
        writer.Line();
        for (int r = 0; r < rows; r++)
        {
            foreach (string o in s_outputs)
            {
                writer.Line($"sum{o}{r} = SplitNibbles.SumOverSteps(sum{o}{r});");
            }
        }

        writer.Line();
        writer.Line("int output = panel * 16 + quad * 4;");
        bool isWhole = layer.Shape.Out % 4 == 0;
        using (writer.Block("if (firstStep == 0 && output < Out)"))
        {
            for (int r = 0; r < rows; r++)
            {
                if (r == 0)
                {
                    WriteRow(r);
                }
                else
                {
                    writer.Line();
                    using (writer.Block($"if (row0 + {r} < rows)"))
                    {
                        WriteRow(r);
                    }
                }
            }
        }

        void WriteRow(int r)
        {
            writer.Line($"ArrayView<TY> y{r} = y.SubView((long)row{r} * Out, Out);");
            for (int i = 0; i < s_outputs.Length; i++)
            {
                string at = i == 0 ? "output" : SourceWriter.Text($"output + {i}");
                string store = $"SplitNibbles.Store(y{r}, {at}, sum{s_outputs[i]}{r} + bias[{at}]);";
                if (i == 0 || isWhole)
                {
                    writer.Line(store);
                }
                else
                {
                    using (writer.Block($"if ({at} < Out)"))
                    {
                        writer.Line(store);
                    }
                }
            }
        }
    }

    private static string Index(string step, int ahead, int factor) =>
        ahead == 0 ? SourceWriter.Text($"{step} * {factor}") : SourceWriter.Text($"({step} + {ahead * WarpSteps}) * {factor}");

    private static int WholeSteps(KernelPlan layer) => layer.Shape.In / PanelLayout.StepColumns;

    /// <summary>Whether every row of x begins where four elements can be loaded at once.</summary>
    private static bool HasFours(KernelPlan layer) => layer.Shape.In % 4 == 0;
}
