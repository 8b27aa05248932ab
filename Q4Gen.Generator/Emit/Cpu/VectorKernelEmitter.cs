using System.Collections.Generic;
using System.Linq;
using Q4Gen.Format;
using Q4Gen.Generator.Model;
using Q4Gen.Generator.Planning;

namespace Q4Gen.Generator.Emit.Cpu;

/// <summary>Prints the kernel class of one shape for one vector instruction set.</summary>
internal static class VectorKernelEmitter
{
    public static SourceFile Emit(KernelPlan plan, IsaPlan isaPlan, VectorIsa isa)
    {
        string name = KernelFile.Name(plan, "Linear4Bit", isa.Name);
        var writer = new SourceWriter();
        KernelFile.Open(
            writer,
            Header(plan, isaPlan, isa),
            "Q4Gen.Kernels",
            "System",
            "System.Diagnostics.CodeAnalysis",
            "System.Runtime.CompilerServices",
            "System.Runtime.Intrinsics",
            "System.Runtime.Intrinsics.X86",
            "static " + isa.IntrinsicClass);
        writer.Line($"/// <summary>Kernels in {isa.Name} for layers {KernelFile.Describe(plan).Replace("->", "→")}.</summary>");
        KernelFile.MarkGenerated(writer);
        using (writer.Block($"internal sealed class {name} : Linear4BitKernel"))
        {
            WriteConstants(writer, plan, isaPlan);
            writer.Line();
            KernelMembers.Write(writer, plan, name, isa.EnumMember);
            WriteTraits(writer, isaPlan);
            writer.Line();
            WriteRun(writer, plan, isaPlan, isa);
            foreach (RowsPlan rows in isaPlan.Rows.Reverse())
            {
                foreach (int panels in PanelCounts(plan, rows.Panels))
                {
                    writer.Line();
                    new RowsEmitter(writer, plan, isaPlan, isa, rows, panels).Write();
                }
            }

            writer.Line();
            new TileEmitter(writer, plan, isaPlan.Tile, isa).Write();
            isa.WriteHelpers(writer);
        }

        return new SourceFile(name + ".g.cs", writer.ToString());
    }

    /// <summary>The role of a kernel for few rows, as its name carries it.</summary>
    public static string RowsRole(int rows) => rows == 1 ? "Gemv" : $"Rows{rows}";

    /// <summary>How many panels at a time the variants of a kernel take: the full number, and what is left at the end.</summary>
    public static IEnumerable<int> PanelCounts(KernelPlan plan, int panels)
    {
        if (plan.Panels >= panels)
        {
            yield return panels;
        }

        if (plan.Panels % panels != 0)
        {
            yield return plan.Panels % panels;
        }
    }

    /// <summary>A kernel's role with a mark where it is the variant for what is left at the end.</summary>
    public static string VariantRole(string role, int panels, int fullPanels) => panels == fullPanels ? role : role + "Tail";

    private static IEnumerable<string> Header(KernelPlan plan, IsaPlan isaPlan, VectorIsa isa)
    {
        yield return $"Q4Gen: {isa.Name} kernels of a 4-bit linear layer {KernelFile.Describe(plan)}.";
        yield return "";
        foreach (RowsPlan rows in isaPlan.Rows.Reverse())
        {
            string what = rows.Rows == 1 ? "one row of x" : $"{rows.Rows} rows of x";
            string accumulators = rows.Accumulators == 1 ? "" : $", {rows.Accumulators} running sums for each output";
            yield return $"{RowsRole(rows.Rows),-6} {what}, {rows.Panels} panel{(rows.Panels == 1 ? "" : "s")} at a time{accumulators}; nibbles expanded in registers.";
        }

        TilePlan tile = isaPlan.Tile;
        yield return $"Gemm   from {tile.MinRows} rows of x on: panels expanded to float32 {tile.ExpandSteps * PanelLayout.StepColumns} columns at a time, tiles of";
        yield return $"       {tile.Rows} rows of x by {tile.Panels * PanelLayout.PanelRows} outputs.";
    }

    private static void WriteConstants(SourceWriter writer, KernelPlan plan, IsaPlan isaPlan)
    {
        writer.Line($"private const int In = {plan.Shape.In}, Out = {plan.Shape.Out}, Panels = {plan.Panels}, Steps = {plan.Steps};");
        writer.Line($"private const int WordsPerStep = {PanelLayout.StepWords}, WordsPerPanel = Steps * WordsPerStep, ScalesPerPanel = {plan.Groups * PanelLayout.PanelRows};");
        if (isaPlan.PrefetchBytes > 0)
        {
            writer.Line();
            writer.Line("// Cold weights are asked for this far ahead of their use.");
            writer.Line($"private const int PrefetchBytes = {isaPlan.PrefetchBytes};");
        }

        if (plan.LastPanelRows != PanelLayout.PanelRows)
        {
            writer.Line();
            writer.Line("// The last panel is partly filled; only these rows of it are stored.");
            writer.Line($"private const int LastPanelRows = {plan.LastPanelRows};");
        }
    }

    private static void WriteTraits(SourceWriter writer, IsaPlan isaPlan)
    {
        void Trait(string name, int value)
        {
            writer.Line();
            writer.Line("/// <inheritdoc/>");
            writer.Line($"public override int {name} => {value};");
        }

        Trait("PanelsPerUnit", isaPlan.UnitPanels);
        Trait("TileRows", isaPlan.Tile.Rows);
        Trait("TailTileRows", isaPlan.Tile.TailRows);
        Trait("MinTiledRows", isaPlan.Tile.MinRows);
    }

    private static void WriteRun(SourceWriter writer, KernelPlan plan, IsaPlan isaPlan, VectorIsa isa)
    {
        writer.Line("/// <inheritdoc/>");
        using (writer.Block("public override void Run(in KernelCall call, int firstPanel, int endPanel)"))
        {
            using (writer.Block("if (call.IsTiled)"))
            {
                writer.Line($"{KernelFile.Name(plan, "Gemm", isa.Name)}(call, firstPanel, endPanel);");
                writer.Line("return;");
            }

            writer.Line();
            if (isa.PreparesActivations)
            {
                writer.Line("ref float prepared = ref StepActivations.Prepare(call, In);");
                writer.Line();
            }

            writer.Line("// The rows of x take turns on a few panels, which stay in the cache meanwhile.");
            int unit = isaPlan.UnitPanels;
            using (writer.Block($"for (int unit = firstPanel; unit < endPanel; unit += {unit})"))
            {
                bool splitsUnits = isaPlan.Rows.Any(rows => rows.Panels < unit);
                if (splitsUnits)
                {
                    writer.Line(plan.Panels % unit == 0 ? $"int endOfUnit = unit + {unit};" : $"int endOfUnit = Math.Min(unit + {unit}, endPanel);");
                }

                writer.Line("int row = 0;");
                foreach (RowsPlan rows in isaPlan.Rows)
                {
                    using (writer.Block(rows.Rows == 1 ? "for (; row < call.Rows; row++)" : $"for (; row <= call.Rows - {rows.Rows}; row += {rows.Rows})"))
                    {
                        if (rows.Panels == unit)
                        {
                            WriteRowsCall(writer, plan, isa, rows, "unit");
                        }
                        else
                        {
                            using (writer.Block($"for (int panel = unit; panel < endOfUnit; panel += {rows.Panels})"))
                            {
                                WriteRowsCall(writer, plan, isa, rows, "panel");
                            }
                        }
                    }

                    if (rows.Rows != 1)
                    {
                        writer.Line();
                    }
                }
            }
        }
    }

    private static void WriteRowsCall(SourceWriter writer, KernelPlan plan, VectorIsa isa, RowsPlan rows, string panel)
    {
        List<int> variants = PanelCounts(plan, rows.Panels).ToList();
        string Call(int panels) =>
            $"{KernelFile.Name(plan, VariantRole(RowsRole(rows.Rows), panels, rows.Panels), isa.Name)}(call, {(isa.PreparesActivations ? "ref prepared, " : "")}row, {panel});";
        if (variants.Count == 1)
        {
            writer.Line(Call(variants[0]));
            return;
        }

        using (writer.Block($"if ({panel} <= Panels - {rows.Panels})"))
        {
            writer.Line(Call(variants[0]));
        }

        using (writer.Block("else"))
        {
            writer.Line(Call(variants[1]));
        }
    }
}
