using System.Collections.Generic;
using System.Linq;
using Q4Gen.Format;
using Q4Gen.Generator.Planning;

namespace Q4Gen.Generator.Emit.Cpu;

/// <summary>
/// Prints the kernels for many rows of x: a stretch of columns of a panel is expanded to float32 with its scales, once,
/// and then multiplied with all packed tiles of x.
/// </summary>
internal sealed class TileEmitter(SourceWriter writer, KernelPlan plan, TilePlan tile, FloatIsa isa)
{
    private const int PanelRows = PanelLayout.PanelRows;

    /// <summary>Declarations on a line.</summary>
    private const int SumsPerLine = 6;

    public void Write()
    {
        WriteGemm();
        writer.Line();
        WriteExpand();
        foreach (int rows in new[] { tile.Rows, tile.TailRows }.Distinct())
        {
            writer.Line();
            WriteTile(rows);
        }

        writer.Line();
        WriteStore();
    }

    private void WriteGemm()
    {
        writer.Line("/// <summary>Packed tiles of x against the panels from <paramref name=\"firstPanel\"/> up to <paramref name=\"endPanel\"/>.</summary>");
        writer.Line("[MethodImpl(Compile.Once)]");
        using (writer.Block($"private static void {Name("Gemm")}(in KernelCall call, int firstPanel, int endPanel)"))
        {
            writer.Line("// Expanded weights, [column][output]: small enough to stay in the first-level cache.");
            writer.Line($"ref float expanded = ref KernelCall.Scratch({tile.ExpandSteps * PanelLayout.StepColumns * PanelRows * tile.Panels});");
            using (writer.Block($"for (int panel = firstPanel; panel < endPanel; {RunEmitter.Advance("panel", tile.Panels)})"))
            {
                using (writer.Block($"for (int step = 0; step < Steps; step += {tile.ExpandSteps})"))
                {
                    writer.Line(plan.Steps % tile.ExpandSteps == 0 ? $"const int steps = {tile.ExpandSteps};" : $"int steps = Math.Min({tile.ExpandSteps}, Steps - step);");
                    writer.Line(plan.TailColumns == 0
                        ? (plan.Steps % tile.ExpandSteps == 0 ? "const " : "") + $"int columns = steps * {PanelLayout.StepColumns};"
                        : $"int columns = Math.Min(steps * {PanelLayout.StepColumns}, In - step * {PanelLayout.StepColumns});");
                    WriteTileLoops();
                }
            }
        }
    }

    private void WriteTileLoops()
    {
        writer.Line($"{Name("Expand")}(call, panel, step, steps, ref expanded);");
        writer.Line("int row = 0;");
        using (writer.Block($"for (int i = 0; i < call.FullTiles; i++, row += {tile.Rows})"))
        {
            writer.Line($"ref float x = ref Unsafe.Add(ref call.X, (nint)row * In + step * {PanelLayout.StepColumns * tile.Rows});");
            writer.Line($"{Name($"Tile{tile.Rows}")}(call, ref x, ref expanded, columns, row, panel, step == 0);");
        }

        if (tile.TailRows != tile.Rows)
        {
            writer.Line();
            using (writer.Block($"for (int i = 0; i < call.TailTiles; i++, row += {tile.TailRows})"))
            {
                writer.Line($"ref float x = ref Unsafe.Add(ref call.X, (nint)row * In + step * {PanelLayout.StepColumns * tile.TailRows});");
                writer.Line($"{Name($"Tile{tile.TailRows}")}(call, ref x, ref expanded, columns, row, panel, step == 0);");
            }
        }
    }

    private void WriteExpand()
    {
        writer.Line("/// <summary>Steps of the weights as float32, times their scales: exact, because 4 and 11 significant bits make 15.</summary>");
        writer.Line("[MethodImpl(Compile.Once)]");
        using (writer.Block($"private static void {Name("Expand")}(in KernelCall call, int panel, int firstStep, int steps, ref float expanded)"))
        {
            foreach (string local in isa.Locals)
            {
                writer.Line(local);
            }

            writer.Line("ref int words = ref Unsafe.Add(ref call.Weights, (nint)panel * WordsPerPanel + (nint)firstStep * WordsPerStep);");
            writer.Line("ref short scales = ref Unsafe.Add(ref call.Scales, (nint)panel * ScalesPerPanel);");
            using (writer.Block("for (int step = firstStep; step < firstStep + steps; step++)"))
            {
                writer.Line(plan.Groups == 1 ? "const int group = 0;" : $"int group = step / {plan.GroupSteps};");
                for (int panel = 0; panel < tile.Panels; panel++)
                {
                    WriteExpandPanel(panel);
                }

                writer.Line("words = ref Unsafe.Add(ref words, WordsPerStep);");
                writer.Line($"expanded = ref Unsafe.Add(ref expanded, {PanelLayout.StepColumns * PanelRows * tile.Panels});");
            }
        }
    }

    private void WriteExpandPanel(int panel)
    {
        string suffix = tile.Panels == 1 ? "" : $"{panel}";
        if (isa.Parts > 2)
        {
            // Four vectors take turns in a loop: expanding is done once for all rows of x.
            using (writer.Block($"for (int part = 0; part < {PanelRows}; part += {isa.Lanes})"))
            {
                WriteExpandVector(panel, suffix, "part");
            }
        }
        else
        {
            for (int part = 0; part < isa.Parts; part++)
            {
                WriteExpandVector(panel, suffix + isa.PartName(part), $"{part * isa.Lanes}");
            }
        }

        writer.Line();
    }

    /// <summary>One vector of words, <paramref name="at"/> so far behind its panel's first.</summary>
    private void WriteExpandVector(int panel, string name, string at)
    {
        writer.Line($"var bits{name} = Load(ref words, {Sum(panel * plan.Steps * PanelLayout.StepWords, at)});");
        writer.Line($"var scale{name} = {isa.LoadScales($"group * {PanelRows} + {Sum(panel * plan.Groups * PanelRows, at)}")};");
        writer.Line($"ref float target{name} = ref Unsafe.Add(ref expanded, {Sum(panel * PanelRows, at)});");
        for (int column = 0; column < PanelLayout.StepColumns; column++)
        {
            writer.Line($"{isa.ScaledColumn($"bits{name}", $"scale{name}", column)}.StoreUnsafe(ref target{name}, {column * tile.Panels * PanelRows});");
        }
    }

    private static string Sum(int offset, string at) =>
        int.TryParse(at, out int constant) ? SourceWriter.Text($"{offset + constant}") : offset == 0 ? at : $"{offset} + {at}";

    private void WriteTile(int rows)
    {
        int vectors = tile.Panels * isa.Parts;
        string Sum(int row, int vector) => $"sum{row}" + (vectors == 1 ? "" : ((char)('A' + vector)).ToString());
        writer.Line($"/// <summary>{rows} packed rows of x by {tile.Panels * PanelRows} outputs, added to the bias the first time and to y later.</summary>");
        writer.Line("[MethodImpl(Compile.Once)]");
        using (writer.Block($"private static void {Name($"Tile{rows}")}(\n    in KernelCall call, ref float x, ref float weights, int columns, int row, int panel, bool isFirst)"))
        {
            string[] sums = [.. Enumerable.Range(0, rows * vectors).Select(i => Sum(i / vectors, i % vectors) + " = default")];
            for (int i = 0; i < sums.Length; i += SumsPerLine)
            {
                writer.Line($"{isa.Float} {string.Join(", ", sums.Skip(i).Take(SumsPerLine))};");
            }

            // A remainder is a tile or two; they are not worth the text.
            int unrolled = rows == tile.Rows && plan.TailColumns % tile.UnrolledColumns == 0 ? tile.UnrolledColumns : 1;
            using (writer.Block($"for (int column = 0; column < columns; {RunEmitter.Advance("column", unrolled)})"))
            {
                for (int column = 0; column < unrolled; column++)
                {
                    WriteColumn(rows, column, Sum);
                }

                writer.Line($"x = ref Unsafe.Add(ref x, {unrolled * rows});");
                writer.Line($"weights = ref Unsafe.Add(ref weights, {unrolled * PanelRows * tile.Panels});");
            }

            writer.Line();
            WriteTileStores(rows, Sum);
        }
    }

    /// <summary>One column of all outputs times that of all rows.</summary>
    private void WriteColumn(int rows, int column, System.Func<int, int, string> sum)
    {
        string Weights(int vector) => "weights" + (char)('A' + vector);
        string declared = column == 0 ? "var " : "";
        int vectors = tile.Panels * isa.Parts;
        for (int vector = 0; vector < vectors; vector++)
        {
            int at = column * PanelRows * tile.Panels + vector * isa.Lanes;
            writer.Line($"{declared}{Weights(vector)} = {isa.Vector}.LoadUnsafe(ref weights{(at == 0 ? "" : SourceWriter.Text($", {at}"))});");
        }

        for (int row = 0; row < rows; row++)
        {
            string x = SourceWriter.Text($"x{row}");
            writer.Line($"{declared}{x} = {FloatIsa.Broadcast(column * rows + row)};");
            for (int vector = 0; vector < vectors; vector++)
            {
                writer.Line($"{sum(row, vector)} = {isa.MultiplyAdd(Weights(vector), x, sum(row, vector))};");
            }
        }
    }

    private void WriteTileStores(int rows, System.Func<int, int, string> sum)
    {
        writer.Line("int rows = call.Rows - row;");
        writer.Line($"ref float bias = ref Unsafe.Add(ref call.Bias, panel * {PanelRows});");
        writer.Line($"ref float y = ref Unsafe.Add(ref call.Y, (nint)row * Out + panel * {PanelRows});");
        writer.Line("// A tile at the end may hold fewer rows than it is high.");
        for (int row = 0; row < rows; row++)
        {
            if (row > 0)
            {
                writer.Line($"if (rows == {row}) return;");
                writer.Line("y = ref Unsafe.Add(ref y, Out);");
            }

            string sums = string.Join(", ", Enumerable.Range(0, tile.Panels * isa.Parts).Select(vector => sum(row, vector)));
            writer.Line($"Store(ref isFirst ? ref bias : ref y, ref y, {(HasPartialPanel ? StoredRows() + ", " : "")}{sums});");
        }
    }

    /// <summary>Stores a row's sums of all tile.Panels of a tile; the last panel's as far as it is filled.</summary>
    private void WriteStore()
    {
        string Sum(int vector) => "sum" + (char)('A' + vector);
        int vectors = tile.Panels * isa.Parts;
        string parameters = string.Join(", ", Enumerable.Range(0, vectors).Select(vector => $"{isa.Float} {Sum(vector)}"));
        writer.Line("/// <summary>A row's sums, on top of the bias or of what y holds.</summary>");
        writer.Line("[MethodImpl(MethodImplOptions.AggressiveInlining)]");
        using (writer.Block($"private static void Store(ref float start, ref float y, {(HasPartialPanel ? "int lastRows, " : "")}{parameters})"))
        {
            for (int panel = 0; panel < tile.Panels; panel++)
            {
                string sums = string.Join(", ", Enumerable.Range(panel * isa.Parts, isa.Parts).Select(Sum));
                string rows = HasPartialPanel && panel == tile.Panels - 1 ? "lastRows, " : "";
                writer.Line($"PanelStore.Add({VectorIsa.At("start", panel * PanelRows)}, {VectorIsa.At("y", panel * PanelRows)}, {rows}{sums});");
            }
        }
    }

    private bool HasPartialPanel => plan.LastPanelRows != PanelRows;

    /// <summary>Rows that a tile's last panel has.</summary>
    private string StoredRows() => plan.Panels == tile.Panels
        ? "LastPanelRows"
        : $"panel == Panels - {tile.Panels} ? LastPanelRows : {PanelRows}";

    private string Name(string role) => KernelFile.Name(plan, role, isa.Name);
}
