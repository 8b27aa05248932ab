using System.Collections.Generic;
using System.Linq;
using Q4Gen.Format;
using Q4Gen.Generator.Planning;

namespace Q4Gen.Generator.Emit.Cpu;

/// <summary>Prints a kernel for a fixed number of rows of 8-bit activations: integer sums of a block, then one scaling.</summary>
internal sealed class Int8RowsEmitter(
    SourceWriter writer, KernelPlan plan, IsaPlan isaPlan, Int8Isa isa, RowsPlan rows)
    : PanelRowsEmitter(writer, plan, isaPlan, isa, rows)
{
    /// <summary>A scale and a correction in front of each block.</summary>
    private const int HeaderWords = 2;

    /// <summary>Even and odd columns of a step.</summary>
    private const int StepWords = 2;

    private readonly Int8Isa _isa = isa;

    public void Write()
    {
        using (WriteMethod("ref int tiles, "))
        {
            WriteWeights();
            Writer.Line("ref int x = ref Unsafe.Add(ref tiles, (nint)row * WordsPerRow);");
            WriteZeros(Sums("total"));
            WriteBlocks(Plan.Steps);
            Writer.Line();
            WriteStores();
        }
    }

    /// <inheritdoc/>
    protected override void WriteBlock(string group, int? steps)
    {
        int rowCount = Rows.Rows;
        Writer.Line("ref int header = ref x;");
        for (int row = 0; row < rowCount; row++)
        {
            string[] sums = RowSums(row).ToArray();
            Writer.Line($"{_isa.Words} {sums[0]} = Start(ref header, {rowCount + row}){string.Concat(sums.Skip(1).Select(sum => $", {sum} = {sums[0]}"))};");
        }

        Writer.Line($"x = ref Unsafe.Add(ref x, {HeaderWords * rowCount});");
        using (Writer.Block(StepLoop(steps)))
        {
            WritePrefetches();
            WriteStep();
            Writer.Line("words = ref Unsafe.Add(ref words, WordsPerStep);");
            Writer.Line($"x = ref Unsafe.Add(ref x, {StepWords * rowCount});");
        }

        Writer.Line();
        WriteScaling(group);
    }

    /// <summary>Panel by panel; both bytes of a row serve all parts of a panel before the next row takes their registers.</summary>
    private void WriteStep()
    {
        for (int panel = 0; panel < Panels; panel++)
        {
            string Name(int part) => PanelName(panel).TrimStart('P') + _isa.PartName(part);
            for (int part = 0; part < _isa.Parts; part++)
            {
                int offset = panel * WordsPerPanel + part * _isa.Lanes;
                Writer.Line($"var even{Name(part)} = Even(ref words, {offset});");
                Writer.Line($"var odd{Name(part)} = Odd(ref words, {offset});");
            }

            for (int row = 0; row < Rows.Rows; row++)
            {
                for (int part = 0; part < _isa.Parts; part++)
                {
                    string sum = Sum("sum", row, panel, part);
                    Writer.Line($"{sum} = Dot({sum}, even{Name(part)}, odd{Name(part)}, ref x, {StepWords * row});");
                }
            }

            Writer.Line();
        }
    }

    private void WriteScaling(string group)
    {
        for (int panel = 0; panel < Panels; panel++)
        {
            for (int part = 0; part < _isa.Parts; part++)
            {
                string scale = "scale" + PanelName(panel) + _isa.PartName(part);
                int offset = panel * Plan.Groups * PanelLayout.PanelRows + part * _isa.Lanes;
                Writer.Line($"var {scale} = {_isa.LoadScales(ScaleOffset(group, offset))};");
                for (int row = 0; row < Rows.Rows; row++)
                {
                    string total = Sum("total", row, panel, part);
                    Writer.Line($"{total} = Scale({total}, {Sum("sum", row, panel, part)}, {scale}, ref header, {row});");
                }
            }
        }
    }

    private IEnumerable<string> RowSums(int row) =>
        from panel in Enumerable.Range(0, Panels)
        from part in Enumerable.Range(0, _isa.Parts)
        select Sum("sum", row, panel, part);
}
