using System;
using System.Collections.Generic;
using System.Linq;
using Q4Gen.Format;
using Q4Gen.Generator.Planning;

namespace Q4Gen.Generator.Emit.Cpu;

/// <summary>Prints a kernel for a fixed, small number of rows of x: nibbles become floats in registers and are used at once.</summary>
internal sealed class RowsEmitter
{
    private readonly SourceWriter _writer;
    private readonly KernelPlan _plan;
    private readonly IsaPlan _isaPlan;
    private readonly VectorIsa _isa;
    private readonly RowsPlan _rows;
    private readonly int _panels;

    /// <summary>A kernel on <paramref name="panels"/> panels at a time, which is fewer than planned in the variant for the end.</summary>
    public RowsEmitter(SourceWriter writer, KernelPlan plan, IsaPlan isaPlan, VectorIsa isa, RowsPlan rows, int panels)
    {
        _writer = writer;
        _plan = plan;
        _isaPlan = isaPlan;
        _isa = isa;
        _rows = rows;
        _panels = panels;
    }

    private bool EndsWithLastPanel => _panels != _rows.Panels || _plan.Panels == _panels;

    public void Write()
    {
        string role = VectorKernelEmitter.VariantRole(VectorKernelEmitter.RowsRole(_rows.Rows), _panels, _rows.Panels);
        _writer.Line($"/// <summary>{Summary()}</summary>");
        _writer.Line("[MethodImpl(MethodImplOptions.AggressiveOptimization)]");
        using (_writer.Block($"private static void {KernelFile.Name(_plan, role, _isa.Name)}(in KernelCall call, {(_isa.PreparesActivations ? "ref float prepared, " : "")}int row, int panel)"))
        {
            WriteStart();
            WriteBlocks();
            if (WholeSteps != _plan.Steps)
            {
                _writer.Line();
                WriteTailColumns();
            }

            _writer.Line();
            WriteStores();
        }
    }

    private string Summary()
    {
        string rows = _rows.Rows == 1 ? "One row" : $"Rows <paramref name=\"row\"/> to <paramref name=\"row\"/> + {_rows.Rows - 1}";
        string panels = _panels == 1 ? "panel <paramref name=\"panel\"/>" : $"the {_panels} panels from <paramref name=\"panel\"/> on";
        return $"{rows} of x against {panels}.";
    }

    private void WriteStart()
    {
        foreach (string local in _isa.Locals)
        {
            _writer.Line(local);
        }

        _writer.Line("ref int words = ref Unsafe.Add(ref call.Weights, (nint)panel * WordsPerPanel);");
        _writer.Line("ref short scales = ref Unsafe.Add(ref call.Scales, (nint)panel * ScalesPerPanel);");
        _writer.Line(_isa.PreparesActivations
            ? "ref float x = ref Unsafe.Add(ref prepared, row * (Steps * StepActivations.Stride));"
            : "ref float x = ref Unsafe.Add(ref call.X, (nint)row * In);");
        WriteZeros(Sums("total"));
    }

    /// <summary>The loop over blocks of steps that share a scale.</summary>
    private void WriteBlocks()
    {
        if (WholeSteps == 0)
        {
            return;
        }

        int blockSteps = _plan.BlockSteps;
        if (WholeSteps <= blockSteps && _plan.Groups == 1)
        {
            using (_writer.Block())
            {
                WriteBlock("0", $"for (int step = 0; step < {WholeSteps}; step++)", "step", staysBelow: 0);
            }
        }
        else if (WholeSteps % blockSteps == 0 && _plan.BlocksFitGroups)
        {
            int blocks = WholeSteps / blockSteps;
            int blocksPerGroup = _plan.Groups == 1 ? blocks : _plan.GroupSteps / blockSteps;
            bool blockIsGroup = blocksPerGroup == 1;
            string index = blockIsGroup ? "group" : "block";
            using (_writer.Block($"for (int {index} = 0; {index} < {blocks}; {index}++)"))
            {
                string group = blockIsGroup ? "group" : blocks == blocksPerGroup ? "0" : $"block / {blocksPerGroup}";
                WriteBlock(group, $"for (int step = 0; step < {blockSteps}; step++)", index, blocks - (PrefetchSteps + blockSteps - 1) / blockSteps);
            }
        }
        else
        {
            using (_writer.Block($"for (int step = 0; step < {WholeSteps};)"))
            {
                _writer.Line(_plan.Groups == 1 ? "const int group = 0;" : $"int group = step / {_plan.GroupSteps};");
                string end = _plan.BlocksFitGroups
                    ? $"{WholeSteps}"
                    : $"Math.Min((group + 1) * {_plan.GroupSteps}, {WholeSteps})";
                _writer.Line($"int end = Math.Min(step + {blockSteps}, {end});");
                WriteBlock("group", "for (; step < end; step++)", "step", WholeSteps - PrefetchSteps);
            }
        }
    }

    private int PrefetchSteps => _isaPlan.PrefetchBytes / PanelLayout.StepBytes;

    /// <param name="group">The group that the block lies in.</param>
    /// <param name="loop">The loop over its steps.</param>
    /// <param name="index">What counts steps or blocks outside that loop.</param>
    /// <param name="staysBelow">Up to which <paramref name="index"/> what is prefetched lies in the same panel; not above 0 for never.</param>
    private void WriteBlock(string group, string loop, string index, int staysBelow)
    {
        WriteZeros(Accumulators());
        string ahead = "PrefetchBytes";
        if (_isaPlan.PrefetchBytes > 0 && _panels > 1)
        {
            // A stream goes on where the next call picks it up: as many panels further.
            string jump = $"PrefetchBytes + {(_panels - 1) * WordsPerPanel * sizeof(int)}";
            ahead = staysBelow > 0 ? "ahead" : jump;
            if (staysBelow > 0)
            {
                _writer.Line($"nint ahead = {index} < {staysBelow} ? PrefetchBytes : {jump};");
            }
        }

        using (_writer.Block(loop))
        {
            if (_isaPlan.PrefetchBytes > 0)
            {
                for (int panel = 0; panel < _panels; panel++)
                {
                    _writer.Line($"Prefetch.Ahead({VectorIsa.At("words", panel * WordsPerPanel)}, {ahead});");
                }
            }

            WriteColumns(PanelLayout.StepColumns);
            _writer.Line("words = ref Unsafe.Add(ref words, WordsPerStep);");
            _writer.Line($"x = ref Unsafe.Add(ref x, {(_isa.PreparesActivations ? "StepActivations.Stride" : $"{PanelLayout.StepColumns}")});");
        }

        _writer.Line();
        WriteScaling(group);
    }

    private int WordsPerPanel => _plan.Steps * PanelLayout.StepWords;

    /// <summary>The step at the end of a row whose columns do not all exist: x is not read beyond its end.</summary>
    private void WriteTailColumns()
    {
        _writer.Line($"// The last {_plan.TailColumns} columns.");
        using (_writer.Block())
        {
            WriteZeros(Accumulators());
            WriteColumns(_plan.TailColumns);
            WriteScaling((_plan.Groups - 1).ToString(System.Globalization.CultureInfo.InvariantCulture));
        }
    }

    private void WriteColumns(int columns)
    {
        if (_rows.Rows == 1 && !_isa.PreparesActivations)
        {
            WriteColumnsByPanel(columns);
        }
        else
        {
            WriteColumnsInTurn(columns);
        }
    }

    /// <summary>One row and many registers: the columns of x stay in them while the panels take turns.</summary>
    private void WriteColumnsByPanel(int columns)
    {
        for (int column = 0; column < columns; column++)
        {
            _writer.Line($"var x{column} = {_isa.Broadcast("x", column)};");
        }

        for (int panel = 0; panel < _panels; panel++)
        {
            _writer.Line();
            WriteLoads(panel);
            for (int column = 0; column < columns; column++)
            {
                for (int part = 0; part < _isa.Parts; part++)
                {
                    string sum = Accumulator(0, panel, part, column % _rows.Accumulators);
                    _writer.Line($"{sum} = {_isa.MultiplyAdd(_isa.Column(Word(panel, part), column), $"x{column}", sum)};");
                }
            }
        }

        _writer.Line();
    }

    /// <summary>The words of all panels stay in registers while the columns take turns: each is expanded once for all rows.</summary>
    private void WriteColumnsInTurn(int columns)
    {
        for (int panel = 0; panel < _panels; panel++)
        {
            WriteLoads(panel);
        }

        if (_isa.PreparesActivations)
        {
            WriteCorrections();
        }

        for (int column = 0; column < columns; column++)
        {
            _writer.Line();
            for (int row = 0; row < _rows.Rows && !UsesColumnOnce; row++)
            {
                _writer.Line($"{(column == 0 ? "var " : "")}x{row} = {BroadcastX(row, column)};");
            }

            for (int panel = 0; panel < _panels; panel++)
            {
                for (int part = 0; part < _isa.Parts; part++)
                {
                    string weights = _isa.Column(Word(panel, part), column);
                    if (_rows.Rows > 1)
                    {
                        string declare = column == 0 && panel == 0 ? "var " : "";
                        string name = "column" + _isa.PartName(part);
                        _writer.Line($"{declare}{name} = {weights};");
                        weights = name;
                    }

                    for (int row = 0; row < _rows.Rows; row++)
                    {
                        string sum = Accumulator(row, panel, part, column % _rows.Accumulators);
                        _writer.Line($"{sum} = {_isa.MultiplyAdd(weights, UsesColumnOnce ? BroadcastX(row, column) : $"x{row}", sum)};");
                    }
                }
            }
        }

        _writer.Line();
    }

    /// <summary>Takes the 8 back that nibbles are above their values, for the whole step at once.</summary>
    private void WriteCorrections()
    {
        for (int row = 0; row < _rows.Rows; row++)
        {
            for (int index = 0; index < _rows.Accumulators; index++)
            {
                // Even and odd columns stand apart where their sums do.
                int correction = _rows.Accumulators == 1 ? PanelLayout.StepCorrections - 1 : index;
                string name = (_rows.Accumulators == 1 ? "correction" : index == 0 ? "evenCorrection" : "oddCorrection") + (_rows.Rows == 1 ? "" : $"{row}");
                _writer.Line($"var {name} = {BroadcastX(row, PanelLayout.StepColumns + correction)};");
                for (int panel = 0; panel < _panels; panel++)
                {
                    for (int part = 0; part < _isa.Parts; part++)
                    {
                        _writer.Line($"{Accumulator(row, panel, part, index)} += {name};");
                    }
                }
            }
        }
    }

    /// <summary>Whether an x is used by one multiply-add only, which can then take it straight from memory.</summary>
    private bool UsesColumnOnce => _panels * _isa.Parts == 1;

    private string BroadcastX(int row, int column) => _isa.Broadcast("x", row * RowStride + column);

    /// <summary>Floats from one row of x to the next: prepared rows have a correction behind each step.</summary>
    private int RowStride => _isa.PreparesActivations ? _plan.Steps * (PanelLayout.StepColumns + PanelLayout.StepCorrections) : _plan.Shape.In;

    /// <summary>Steps whose columns can all be read: prepared rows are padded to whole steps.</summary>
    private int WholeSteps => _isa.PreparesActivations ? _plan.Steps : _plan.WholeSteps;

    private void WriteLoads(int panel)
    {
        for (int part = 0; part < _isa.Parts; part++)
        {
            _writer.Line($"var {Word(panel, part)} = {_isa.LoadWords(panel * WordsPerPanel + part * _isa.Lanes)};");
        }
    }

    private void WriteScaling(string group)
    {
        for (int panel = 0; panel < _panels; panel++)
        {
            for (int part = 0; part < _isa.Parts; part++)
            {
                int offset = panel * _plan.Groups * PanelLayout.PanelRows + part * _isa.Lanes;
                string scales = _isa.LoadScales(ScaleOffset(group, offset));
                if (_rows.Rows > 1)
                {
                    string name = "scale" + PanelName(panel) + _isa.PartName(part);
                    _writer.Line($"var {name} = {scales};");
                    scales = name;
                }

                for (int row = 0; row < _rows.Rows; row++)
                {
                    string sum = string.Join(" + ", Enumerable.Range(0, _rows.Accumulators).Select(k => Accumulator(row, panel, part, k)));
                    string total = Sum("total", row, panel, part);
                    _writer.Line($"{total} = {_isa.MultiplyAdd(sum, scales, total)};");
                }
            }
        }
    }

    private void WriteStores()
    {
        _writer.Line($"ref float bias = ref Unsafe.Add(ref call.Bias, panel * {PanelLayout.PanelRows});");
        _writer.Line($"ref float y = ref Unsafe.Add(ref call.Y, (nint)row * Out + panel * {PanelLayout.PanelRows});");
        for (int row = 0; row < _rows.Rows; row++)
        {
            for (int panel = 0; panel < _panels; panel++)
            {
                string totals = string.Join(", ", Enumerable.Range(0, _isa.Parts).Select(part => Sum("total", row, panel, part)));
                string bias = VectorIsa.At("bias", panel * PanelLayout.PanelRows);
                string y = VectorIsa.At("y", row * _plan.Shape.Out + panel * PanelLayout.PanelRows);
                _writer.Line($"PanelStore.Add({bias}, {y}, {StoredRows(panel)}{totals});");
            }
        }
    }

    /// <summary>The argument that limits what the layer's last panel stores; none where it is full.</summary>
    private string StoredRows(int panel)
    {
        if (_plan.LastPanelRows == PanelLayout.PanelRows || panel != _panels - 1)
        {
            return "";
        }

        return EndsWithLastPanel
            ? "LastPanelRows, "
            : $"panel == Panels - {_panels} ? LastPanelRows : {PanelLayout.PanelRows}, ";
    }

    private IEnumerable<string> Accumulators() =>
        Enumerable.Range(0, _rows.Accumulators).SelectMany(k => Sums(AccumulatorPrefix(k)));

    private string Accumulator(int row, int panel, int part, int index) => Sum(AccumulatorPrefix(index), row, panel, part);

    private string AccumulatorPrefix(int index) => _rows.Accumulators == 1 ? "sum" : index == 0 ? "even" : "odd";

    private IEnumerable<string> Sums(string prefix) =>
        from row in Enumerable.Range(0, _rows.Rows)
        from panel in Enumerable.Range(0, _panels)
        from part in Enumerable.Range(0, _isa.Parts)
        select Sum(prefix, row, panel, part);

    /// <summary>A name with the row, panel and part, each where there is more than one: <c>sum1P0A</c>.</summary>
    private string Sum(string prefix, int row, int panel, int part) =>
        prefix + (_rows.Rows == 1 ? "" : row.ToString(System.Globalization.CultureInfo.InvariantCulture)) + PanelName(panel) + _isa.PartName(part);

    private string PanelName(int panel) => _panels == 1 ? "" : (_rows.Rows == 1 ? "" : "P") + panel.ToString(System.Globalization.CultureInfo.InvariantCulture);

    private string Word(int panel, int part) => "words" + PanelName(panel).TrimStart('P') + (_panels == 1 && _isa.Parts == 1 ? "0" : "") + _isa.PartName(part);

    /// <summary>The place of a group's scales, in the simplest words.</summary>
    private static string ScaleOffset(string group, int offset)
    {
        string plus = offset == 0 ? "" : $" + {offset}";
        return group == "0" ? offset.ToString(System.Globalization.CultureInfo.InvariantCulture)
            : int.TryParse(group, out int index) ? (index * PanelLayout.PanelRows + offset).ToString(System.Globalization.CultureInfo.InvariantCulture)
            : (group.Contains(" ") ? $"({group})" : group) + $" * {PanelLayout.PanelRows}" + plus;
    }

    /// <summary>Declares vectors of zeros, a few on a line.</summary>
    private void WriteZeros(IEnumerable<string> names)
    {
        const int PerLine = 4;
        string[] all = names.ToArray();
        for (int i = 0; i < all.Length; i += PerLine)
        {
            _writer.Line($"{_isa.Float} {string.Join(", ", all.Skip(i).Take(PerLine).Select(name => name + " = default"))};");
        }
    }
}
