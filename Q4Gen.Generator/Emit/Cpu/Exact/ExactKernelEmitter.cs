using System.Collections.Generic;
using System.Linq;
using Q4Gen.Format;
using Q4Gen.Generator.Model;
using Q4Gen.Generator.Planning;

namespace Q4Gen.Generator.Emit.Cpu;

/// <summary>Prints the kernel class of one shape for one vector instruction set.</summary>
internal static class ExactKernelEmitter
{
    public static SourceFile Emit(KernelPlan plan, IsaPlan isaPlan, FloatIsa isa)
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
            KernelMembers.WriteConstants(writer, plan, isaPlan.PrefetchBytes);
            writer.Line();
            if (HasFixedPointRows(isaPlan))
            {
                FixedPointRowsEmitter.WriteConstants(writer, plan);
                writer.Line();
            }

            KernelMembers.Write(writer, plan, name, isa.EnumMember);
            WriteTraits(writer, isaPlan);
            writer.Line();
            WriteRun(writer, plan, isaPlan, isa);
            foreach (RowsPlan rows in isaPlan.Rows.Reverse())
            {
                writer.Line();
                if (rows.IsFixedPoint)
                {
                    new FixedPointRowsEmitter(writer, plan, isaPlan, isa, rows).Write();
                }
                else
                {
                    new ExactRowsEmitter(writer, plan, isaPlan, isa, rows).Write();
                }
            }

            writer.Line();
            new TileEmitter(writer, plan, isaPlan.Tile!, isa).Write();
            isa.WriteHelpers(writer);
            if (HasFixedPointRows(isaPlan))
            {
                FixedPointRowsEmitter.WriteHelpers(writer, isa);
            }
        }

        return new SourceFile(name + ".g.cs", writer.ToString());
    }

    private static IEnumerable<string> Header(KernelPlan plan, IsaPlan isaPlan, FloatIsa isa)
    {
        yield return $"Q4Gen: {isa.Name} kernels of a 4-bit linear layer {KernelFile.Describe(plan)}.";
        yield return "";
        foreach (RowsPlan rows in isaPlan.Rows.Reverse())
        {
            string what = rows.Rows == 1 ? "one row of x" : $"{rows.Rows} rows of x";
            string accumulators = rows.Accumulators == 1 ? "" : $", {rows.Accumulators} running sums for each output";
            string how = rows.IsFixedPoint ? "x in 24-bit fixed point, sums in integers" : "nibbles expanded in registers";
            yield return $"{KernelFile.RowsRole(rows.Rows),-6} {what}, {rows.Panels} panel{(rows.Panels == 1 ? "" : "s")} at a time{accumulators}; {how}.";
        }

        TilePlan tile = isaPlan.Tile!;
        yield return $"Gemm   from {isaPlan.MinPackedRows} rows of x on: panels expanded to float32 {tile.ExpandSteps * PanelLayout.StepColumns} columns at a time, tiles of";
        yield return $"       {tile.Rows} rows of x by {tile.Panels * PanelLayout.PanelRows} outputs.";
        foreach (string line in KernelFile.DescribeTuning(plan))
        {
            yield return line;
        }
    }

    private static void WriteTraits(SourceWriter writer, IsaPlan isaPlan)
    {
        KernelMembers.WriteTrait(writer, "PanelsPerUnit", isaPlan.UnitPanels);
        KernelMembers.WriteTrait(writer, "TileRows", isaPlan.Tile!.Rows);
        KernelMembers.WriteTrait(writer, "TailTileRows", isaPlan.Tile.TailRows);
        KernelMembers.WriteTrait(writer, "MinTiledRows", isaPlan.MinPackedRows);
    }

    private static void WriteRun(SourceWriter writer, KernelPlan plan, IsaPlan isaPlan, FloatIsa isa)
    {
        using (writer.Block("public override void Run(in KernelCall call, int firstPanel, int endPanel)"))
        {
            using (writer.Block("if (call.IsTiled)"))
            {
                writer.Line($"{KernelFile.Name(plan, "Gemm", isa.Name)}(call, firstPanel, endPanel);");
                writer.Line("return;");
            }

            writer.Line();
            if (HasFixedPointRows(isaPlan))
            {
                WritePreparedBoth(writer, isaPlan);
            }
            else if (ExactRowsEmitter.HasPreparedRows(plan, isa))
            {
                string prepare = isa.PreparesActivations ? "StepActivations.Prepare(call, In, call.Rows)" : "PaddedActivations.Prepare(call, In)";
                writer.Line($"ref float prepared = ref {prepare};");
                writer.Line();
            }

            new RunEmitter(writer, plan, isaPlan, isa.Name, rows => PreparedRows(plan, isa, rows)).Write();
            if (HasFixedPointRows(isaPlan))
            {
                writer.Line();
                writer.Line("// Columns of x too large for the fixed point of their block; there are hardly ever any.");
                writer.Line("rest.AddOutliers(call, firstPanel, endPanel);");
            }
        }
    }

    /// <summary>Where one row is multiplied in fixed point and several are as floats.</summary>
    private static void WritePreparedBoth(SourceWriter writer, IsaPlan isaPlan)
    {
        int[] heights = [.. isaPlan.Rows.Where(static rows => !rows.IsFixedPoint).Select(static rows => rows.Rows)];
        writer.Line($"// {string.Join(" and ", heights)} rows at a time are multiplied as floats, the rest one by one in fixed point.");
        writer.Line(heights.Length == 1
            ? $"int floats = call.Rows / {heights[0]} * {heights[0]};"
            : $"int floats = call.Rows - call.Rows{string.Concat(heights.Select(static height => $" % {height}"))};");
        writer.Line("ref float prepared = ref StepActivations.Prepare(call, In, floats);");
        writer.Line("FixedPointRows rest = FixedPointActivations.Prepare(call, Shape, BlockSteps, floats);");
        writer.Line();
    }

    private static string PreparedRows(KernelPlan plan, FloatIsa isa, RowsPlan rows) =>
        rows.IsFixedPoint ? "ref rest[row], "
        : ExactRowsEmitter.HasPreparedRows(plan, isa) ? "ref prepared, "
        : "";

    private static bool HasFixedPointRows(IsaPlan isaPlan) => isaPlan.Rows.Any(static rows => rows.IsFixedPoint);
}
