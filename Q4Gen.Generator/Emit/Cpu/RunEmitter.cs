using System;
using System.Linq;
using Q4Gen.Generator.Planning;

namespace Q4Gen.Generator.Emit.Cpu;

/// <summary>Prints the loop that hands rows of x to the kernels for few rows, the highest kernel that fits first.</summary>
/// <param name="writer">Where to.</param>
/// <param name="plan">The plan.</param>
/// <param name="isaPlan">The plan of the instruction set.</param>
/// <param name="isa">The instruction set's name.</param>
/// <param name="prepared">The argument that hands a kernel its prepared rows; empty where there are none.</param>
internal sealed class RunEmitter(SourceWriter writer, KernelPlan plan, IsaPlan isaPlan, string isa, Func<RowsPlan, string> prepared)
{
    public void Write()
    {
        writer.Line("// The rows of x take turns on a few panels, which stay in the cache meanwhile.");
        int unit = isaPlan.UnitPanels;
        using (writer.Block($"for (int unit = firstPanel; unit < endPanel; {Advance("unit", unit)})"))
        {
            WriteEndOfUnit(writer, plan, isaPlan);
            writer.Line("int row = 0;");
            foreach (RowsPlan rows in isaPlan.Rows)
            {
                using (writer.Block(rows.Rows == 1 ? "for (; row < call.Rows; row++)" : $"for (; row <= call.Rows - {rows.Rows}; row += {rows.Rows})"))
                {
                    WriteCalls(writer, plan, isaPlan, isa, rows, prepared(rows));
                }

                if (rows.Rows != 1)
                {
                    writer.Line();
                }
            }
        }
    }

    /// <summary>Declares where a unit ends, where any kernel needs to know.</summary>
    public static void WriteEndOfUnit(SourceWriter writer, KernelPlan plan, IsaPlan isaPlan)
    {
        int unit = isaPlan.UnitPanels;
        if (isaPlan.Rows.Any(rows => rows.Panels < unit))
        {
            writer.Line(plan.Panels % unit == 0 ? $"int endOfUnit = unit + {unit};" : $"int endOfUnit = Math.Min(unit + {unit}, endPanel);");
        }
    }

    /// <summary>What a loop ends its turns with.</summary>
    public static string Advance(string index, int by) => by == 1 ? $"{index}++" : $"{index} += {by}";

    /// <summary>
    /// The calls of one kernel for all panels of a unit. Where its panels do not divide the layer's, the last call
    /// begins earlier, and computes again, to the same bits, what the one before it has computed.
    /// </summary>
    public static void WriteCalls(SourceWriter writer, KernelPlan plan, IsaPlan isaPlan, string isa, RowsPlan rows, string prepared)
    {
        void WriteCall(string panel)
        {
            string first = plan.Panels % rows.Panels == 0 ? panel : $"Math.Min({panel}, Panels - {rows.Panels})";
            writer.Line($"{KernelFile.Name(plan, KernelFile.RowsRole(rows.Rows), isa)}(call, {prepared}row, {first});");
        }

        if (rows.Panels == isaPlan.UnitPanels)
        {
            WriteCall("unit");
            return;
        }

        using (writer.Block($"for (int panel = unit; panel < endOfUnit; {Advance("panel", rows.Panels)})"))
        {
            WriteCall("panel");
        }
    }
}
