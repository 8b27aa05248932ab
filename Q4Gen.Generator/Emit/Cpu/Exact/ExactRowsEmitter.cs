using System.Collections.Generic;
using System.Linq;
using Q4Gen.Format;
using Q4Gen.Generator.Planning;

namespace Q4Gen.Generator.Emit.Cpu;

/// <summary>Prints a kernel for a fixed, small number of rows of x: nibbles become floats in registers and are used at once.</summary>
internal sealed class ExactRowsEmitter(
    SourceWriter writer, KernelPlan plan, IsaPlan isaPlan, FloatIsa isa, RowsPlan rows)
    : PanelRowsEmitter(writer, plan, isaPlan, isa, rows)
{
    private readonly FloatIsa _isa = isa;

    /// <summary>Whether x comes prepared for the nibbles' places, or padded to whole steps.</summary>
    public static bool HasPreparedRows(KernelPlan plan, FloatIsa isa) => isa.PreparesActivations || plan.TailColumns != 0;

    public void Write()
    {
        using (WriteMethod(HasPreparedRows(Plan, _isa) ? "ref float prepared, " : ""))
        {
            WriteStart();
            WriteBlocks(Plan.Steps);
            Writer.Line();
            WriteStores();
        }
    }

    private void WriteStart()
    {
        foreach (string local in _isa.Locals)
        {
            Writer.Line(local);
        }

        WriteWeights();
        Writer.Line(
            _isa.PreparesActivations ? "ref float x = ref Unsafe.Add(ref prepared, row * (Steps * StepActivations.Stride));"
            : HasPreparedRows(Plan, _isa) ? $"ref float x = ref Unsafe.Add(ref prepared, row * (Steps * {PanelLayout.StepColumns}));"
            : "ref float x = ref Unsafe.Add(ref call.X, (nint)row * In);");
        WriteZeros(Sums("total"));
    }

    /// <inheritdoc/>
    protected override void WriteBlock(string group, int? steps)
    {
        WriteZeros(Accumulators());
        using (Writer.Block(StepLoop(steps)))
        {
            WritePrefetches();
            WriteColumns();
            Writer.Line("words = ref Unsafe.Add(ref words, WordsPerStep);");
            Writer.Line($"x = ref Unsafe.Add(ref x, {(_isa.PreparesActivations ? "StepActivations.Stride" : $"{PanelLayout.StepColumns}")});");
        }

        Writer.Line();
        WriteScaling(group);
    }

    private void WriteColumns()
    {
        if (Rows.Rows == 1 && !_isa.PreparesActivations)
        {
            WriteColumnsByPanel();
        }
        else
        {
            WriteColumnsInTurn();
        }
    }

    /// <summary>One row and many registers: the columns of x stay in them while the panels take turns.</summary>
    private void WriteColumnsByPanel()
    {
        for (int column = 0; column < PanelLayout.StepColumns; column++)
        {
            Writer.Line($"var x{column} = {FloatIsa.Broadcast(column)};");
        }

        for (int panel = 0; panel < Panels; panel++)
        {
            Writer.Line();
            WriteLoads(panel);
            for (int column = 0; column < PanelLayout.StepColumns; column++)
            {
                for (int part = 0; part < _isa.Parts; part++)
                {
                    string sum = Accumulator(0, panel, part, column % Rows.Accumulators);
                    Writer.Line($"{sum} = {_isa.MultiplyAdd(_isa.Column(Word(panel, part), column), $"x{column}", sum)};");
                }
            }
        }

        Writer.Line();
    }

    /// <summary>The words of all panels stay in registers while the columns take turns: each is expanded once for all rows.</summary>
    private void WriteColumnsInTurn()
    {
        for (int panel = 0; panel < Panels; panel++)
        {
            WriteLoads(panel);
        }

        if (_isa.PreparesActivations)
        {
            WriteCorrections();
        }

        for (int column = 0; column < PanelLayout.StepColumns; column++)
        {
            Writer.Line();
            for (int row = 0; row < Rows.Rows && !UsesColumnOnce; row++)
            {
                Writer.Line($"{(column == 0 ? "var " : "")}x{row} = {BroadcastX(row, column)};");
            }

            for (int panel = 0; panel < Panels; panel++)
            {
                for (int part = 0; part < _isa.Parts; part++)
                {
                    string weights = _isa.Column(Word(panel, part), column);
                    if (Rows.Rows > 1)
                    {
                        string declare = column == 0 && panel == 0 ? "var " : "";
                        string name = "column" + _isa.PartName(part);
                        Writer.Line($"{declare}{name} = {weights};");
                        weights = name;
                    }

                    for (int row = 0; row < Rows.Rows; row++)
                    {
                        string sum = Accumulator(row, panel, part, column % Rows.Accumulators);
                        Writer.Line($"{sum} = {_isa.MultiplyAdd(weights, UsesColumnOnce ? BroadcastX(row, column) : $"x{row}", sum)};");
                    }
                }
            }
        }

        Writer.Line();
    }

    /// <summary>Takes the 8 back that nibbles are above their values, for the whole step at once.</summary>
    private void WriteCorrections()
    {
        for (int row = 0; row < Rows.Rows; row++)
        {
            for (int index = 0; index < Rows.Accumulators; index++)
            {
                // Even and odd columns stand apart where their sums do.
                int correction = Rows.Accumulators == 1 ? PanelLayout.StepCorrections - 1 : index;
                string name = (Rows.Accumulators == 1 ? "correction" : index == 0 ? "evenCorrection" : "oddCorrection") + (Rows.Rows == 1 ? "" : $"{row}");
                Writer.Line($"var {name} = {BroadcastX(row, PanelLayout.StepColumns + correction)};");
                for (int panel = 0; panel < Panels; panel++)
                {
                    for (int part = 0; part < _isa.Parts; part++)
                    {
                        Writer.Line($"{Accumulator(row, panel, part, index)} += {name};");
                    }
                }
            }
        }
    }

    /// <summary>Whether an x is used by one multiply-add only, which can then take it straight from memory.</summary>
    private bool UsesColumnOnce => Panels * _isa.Parts == 1;

    private string BroadcastX(int row, int column) => FloatIsa.Broadcast(row * RowStride + column);

    /// <summary>Floats from one row of x to the next: prepared rows have corrections behind each step, padded ones whole steps.</summary>
    private int RowStride => _isa.PreparesActivations
        ? Plan.Steps * (PanelLayout.StepColumns + PanelLayout.StepCorrections)
        : Plan.Steps * PanelLayout.StepColumns;

    private void WriteLoads(int panel)
    {
        for (int part = 0; part < _isa.Parts; part++)
        {
            Writer.Line($"var {Word(panel, part)} = {VectorIsa.LoadWords(panel * WordsPerPanel + part * _isa.Lanes)};");
        }
    }

    private void WriteScaling(string group)
    {
        for (int panel = 0; panel < Panels; panel++)
        {
            for (int part = 0; part < _isa.Parts; part++)
            {
                int offset = panel * Plan.Groups * PanelLayout.PanelRows + part * _isa.Lanes;
                string scales = _isa.LoadScales(ScaleOffset(group, offset));
                if (Rows.Rows > 1)
                {
                    string name = "scale" + PanelName(panel) + _isa.PartName(part);
                    Writer.Line($"var {name} = {scales};");
                    scales = name;
                }

                for (int row = 0; row < Rows.Rows; row++)
                {
                    string sum = string.Join(" + ", Enumerable.Range(0, Rows.Accumulators).Select(k => Accumulator(row, panel, part, k)));
                    string total = Sum("total", row, panel, part);
                    Writer.Line($"{total} = {_isa.MultiplyAdd(sum, scales, total)};");
                }
            }
        }
    }

    private IEnumerable<string> Accumulators() =>
        Enumerable.Range(0, Rows.Accumulators).SelectMany(k => Sums(AccumulatorPrefix(k)));

    private string Accumulator(int row, int panel, int part, int index) => Sum(AccumulatorPrefix(index), row, panel, part);

    private string AccumulatorPrefix(int index) => Rows.Accumulators == 1 ? "sum" : index == 0 ? "even" : "odd";
}
