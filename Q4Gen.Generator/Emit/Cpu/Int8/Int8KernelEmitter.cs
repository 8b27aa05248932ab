using System.Collections.Generic;
using System.Linq;
using Q4Gen.Format;
using Q4Gen.Generator.Model;
using Q4Gen.Generator.Planning;

namespace Q4Gen.Generator.Emit.Cpu;

/// <summary>Prints the kernel class of one shape with 8-bit activations for one vector instruction set.</summary>
internal static class Int8KernelEmitter
{
    public static SourceFile Emit(KernelPlan plan, IsaPlan isaPlan, Int8Isa isa)
    {
        string name = KernelFile.Name(plan, "Linear4Bit", isa.Name);
        var writer = new SourceWriter();
        string[] usings = ["Q4Gen.Kernels", "System", "System.Runtime.CompilerServices", "System.Runtime.Intrinsics"];
        KernelFile.Open(writer, Header(plan, isaPlan, isa), isa.IntrinsicNamespace.Length == 0 ? usings : [.. usings, isa.IntrinsicNamespace]);
        writer.Line($"/// <summary>Kernels in {isa.Name} for layers {KernelFile.Describe(plan).Replace("->", "→")}.</summary>");
        KernelFile.MarkGenerated(writer);
        using (writer.Block($"internal sealed class {name} : Int8Kernel"))
        {
            KernelMembers.WriteConstants(writer, plan, isaPlan.PrefetchBytes);
            writer.Line();
            writer.Line("// A row of packed x: for each block a scale and a correction, for each step four even and four odd bytes.");
            writer.Line($"private const int WordsPerRow = {2 * (plan.Blocks + plan.Steps)};");
            writer.Line();
            KernelMembers.Write(writer, plan, name, isa.EnumMember);
            KernelMembers.WriteTrait(writer, "PanelsPerUnit", isaPlan.UnitPanels);
            KernelMembers.WriteTrait(writer, "MinTiledRows", isaPlan.MinPackedRows);
            KernelMembers.WriteTrait(writer, "MaxTileRows", isaPlan.Rows[0].Rows);
            writer.Line();
            WriteRun(writer, plan, isaPlan, isa);
            foreach (RowsPlan rows in isaPlan.Rows.Reverse())
            {
                writer.Line();
                new Int8RowsEmitter(writer, plan, isaPlan, isa, rows).Write();
            }

            isa.WriteHelpers(writer);
        }

        return new SourceFile(name + ".g.cs", writer.ToString());
    }

    private static void WriteRun(SourceWriter writer, KernelPlan plan, IsaPlan isaPlan, Int8Isa isa)
    {
        int unit = isaPlan.UnitPanels;
        using (writer.Block("public override void Run(in KernelCall call, int firstPanel, int endPanel)"))
        {
            writer.Line("ref int tiles = ref Int8Activations.Tiles(call, this);");
            writer.Line("var rows = new RowTiles(call.Rows, MaxTileRows);");
            writer.Line();
            writer.Line("// The rows of x take turns on a few panels, which stay in the cache meanwhile.");
            using (writer.Block($"for (int unit = firstPanel; unit < endPanel; {RunEmitter.Advance("unit", unit)})"))
            {
                RunEmitter.WriteEndOfUnit(writer, plan, isaPlan);
                writer.Line("int row = 0;");
                using (writer.Block("for (int tile = 0; tile < rows.Count; tile++)"))
                {
                    writer.Line("int height = rows.HeightOf(tile);");
                    using (writer.Block("switch (height)"))
                    {
                        foreach (RowsPlan rows in isaPlan.Rows)
                        {
                            using (writer.Block(rows.Rows == 1 ? "default:" : $"case {rows.Rows}:"))
                            {
                                RunEmitter.WriteCalls(writer, plan, isaPlan, isa.Name, rows, "ref tiles, ");
                                writer.Line("break;");
                            }
                        }
                    }

                    writer.Line();
                    writer.Line("row += height;");
                }
            }
        }
    }

    private static IEnumerable<string> Header(KernelPlan plan, IsaPlan isaPlan, Int8Isa isa)
    {
        yield return $"Q4Gen: {isa.Name} kernels of a 4-bit linear layer {KernelFile.Describe(plan)}.";
        yield return "";
        yield return "Precision Int8Activations: x comes rounded to 8 bits with a scale a row and block of at most";
        yield return $"{PanelLayout.MaxBlockColumns} columns; products are summed in integers, sums of blocks in float32, in one order everywhere.";
        foreach (RowsPlan rows in isaPlan.Rows.Reverse())
        {
            string what = rows.Rows == 1 ? "one row of x" : $"{rows.Rows} rows of x";
            yield return $"{KernelFile.RowsRole(rows.Rows),-6} {what}, {rows.Panels} panel{(rows.Panels == 1 ? "" : "s")} at a time.";
        }

        foreach (string line in KernelFile.DescribeTuning(plan))
        {
            yield return line;
        }
    }
}
