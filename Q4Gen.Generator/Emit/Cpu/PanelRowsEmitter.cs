using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using Q4Gen.Format;
using Q4Gen.Generator.Planning;

namespace Q4Gen.Generator.Emit.Cpu;

/// <summary>
/// What kernels for a fixed number of rows of x have in common: how they walk through the steps of a few panels in
/// blocks that share a scale, what their sums are called, and how these reach y.
/// </summary>
internal abstract class PanelRowsEmitter(
    SourceWriter writer, KernelPlan plan, IsaPlan isaPlan, VectorIsa vectors, RowsPlan rows)
{
    private string _ahead = "";

    protected SourceWriter Writer { get; } = writer;

    protected KernelPlan Plan { get; } = plan;

    protected IsaPlan IsaPlan { get; } = isaPlan;

    protected RowsPlan Rows { get; } = rows;

    /// <summary>Panels at a time.</summary>
    protected int Panels => Rows.Panels;

    private VectorIsa Vectors { get; } = vectors;

    protected int WordsPerPanel => Plan.Steps * PanelLayout.StepWords;

    private int PrefetchSteps => IsaPlan.PrefetchBytes / PanelLayout.StepBytes;

    private bool EndsWithLastPanel => Plan.Panels == Panels;

    /// <summary>The comment and the signature, whose prepared rows of x are <paramref name="prepared"/>.</summary>
    protected SourceWriter.Scope WriteMethod(string prepared)
    {
        string role = KernelFile.RowsRole(Rows.Rows);
        string what = Rows.Rows == 1 ? "One row" : $"Rows <paramref name=\"row\"/> to <paramref name=\"row\"/> + {Rows.Rows - 1}";
        string where = Panels == 1 ? "panel <paramref name=\"panel\"/>" : $"the {Panels} panels from <paramref name=\"panel\"/> on";
        Writer.Line($"/// <summary>{what} of x against {where}.</summary>");
        Writer.Line("[MethodImpl(Compile.Once)]");
        return Writer.Block($"private static void {KernelFile.Name(Plan, role, Vectors.Name)}(in KernelCall call, {prepared}int row, int panel)");
    }

    protected void WriteWeights()
    {
        Writer.Line("ref int words = ref Unsafe.Add(ref call.Weights, (nint)panel * WordsPerPanel);");
        Writer.Line("ref short scales = ref Unsafe.Add(ref call.Scales, (nint)panel * ScalesPerPanel);");
    }

    /// <summary>The loop over blocks of steps that share a scale.</summary>
    /// <param name="wholeSteps">Steps that are walked.</param>
    protected void WriteBlocks(int wholeSteps)
    {
        if (wholeSteps == 0)
        {
            return;
        }

        int blockSteps = Plan.BlockSteps;
        if (wholeSteps <= blockSteps && Plan.Groups == 1)
        {
            using (Writer.Block())
            {
                WriteAhead("step", 0);
                WriteBlock("0", wholeSteps);
            }
        }
        else if (wholeSteps % blockSteps == 0 && Plan.BlocksFitGroups)
        {
            int blocks = wholeSteps / blockSteps;
            int blocksPerGroup = Plan.Groups == 1 ? blocks : Plan.GroupSteps / blockSteps;
            bool blockIsGroup = blocksPerGroup == 1;
            string index = blockIsGroup ? "group" : "block";
            using (Writer.Block($"for (int {index} = 0; {index} < {blocks}; {index}++)"))
            {
                string group = blockIsGroup ? "group" : blocks == blocksPerGroup ? "0" : $"block / {blocksPerGroup}";
                WriteAhead(index, blocks - (PrefetchSteps + blockSteps - 1) / blockSteps);
                WriteBlock(group, blockSteps);
            }
        }
        else
        {
            using (Writer.Block($"for (int step = 0; step < {wholeSteps};)"))
            {
                Writer.Line(Plan.Groups == 1 ? "const int group = 0;" : $"int group = step / {Plan.GroupSteps};");
                string end = Plan.BlocksFitGroups
                    ? $"{wholeSteps}"
                    : $"Math.Min((group + 1) * {Plan.GroupSteps}, {wholeSteps})";
                Writer.Line($"int end = Math.Min(step + {blockSteps}, {end});");
                WriteAhead("step", wholeSteps - PrefetchSteps);
                WriteBlock("group", null);
            }
        }
    }

    /// <summary>What is to happen in one block.</summary>
    /// <param name="group">The group that it lies in.</param>
    /// <param name="steps">How many steps it has; null where it goes from <c>step</c>, which is declared, to <c>end</c>.</param>
    protected abstract void WriteBlock(string group, int? steps);

    /// <summary>The head of a loop over the steps of a block.</summary>
    protected static string StepLoop(int? steps) =>
        steps is null ? "for (; step < end; step++)" : $"for (int step = 0; step < {steps}; step++)";

    /// <summary>Asks for the lines of weights that steps further on will need.</summary>
    protected void WritePrefetches()
    {
        if (IsaPlan.PrefetchBytes > 0)
        {
            for (int panel = 0; panel < Panels; panel++)
            {
                Writer.Line($"Prefetch.Ahead({VectorIsa.At("words", panel * WordsPerPanel)}, {_ahead});");
            }
        }
    }

    /// <param name="index">What counts steps or blocks outside the loop over a block's steps.</param>
    /// <param name="staysBelow">Up to which <paramref name="index"/> what is prefetched lies in the same panel; not above 0 for never.</param>
    private void WriteAhead(string index, int staysBelow)
    {
        _ahead = "PrefetchBytes";
        if (IsaPlan.PrefetchBytes > 0 && Panels > 1)
        {
            // A stream goes on where the next call picks it up: as many panels further.
            string jump = $"PrefetchBytes + {(Panels - 1) * WordsPerPanel * sizeof(int)}";
            _ahead = staysBelow > 0 ? "ahead" : jump;
            if (staysBelow > 0)
            {
                Writer.Line($"nint ahead = {index} < {staysBelow} ? PrefetchBytes : {jump};");
            }
        }
    }

    protected void WriteStores()
    {
        Writer.Line($"ref float bias = ref Unsafe.Add(ref call.Bias, panel * {PanelLayout.PanelRows});");
        Writer.Line($"ref float y = ref Unsafe.Add(ref call.Y, (nint)row * Out + panel * {PanelLayout.PanelRows});");
        for (int row = 0; row < Rows.Rows; row++)
        {
            for (int panel = 0; panel < Panels; panel++)
            {
                string totals = string.Join(", ", Enumerable.Range(0, Vectors.Parts).Select(part => Sum("total", row, panel, part)));
                string bias = VectorIsa.At("bias", panel * PanelLayout.PanelRows);
                string y = VectorIsa.At("y", row * Plan.Shape.Out + panel * PanelLayout.PanelRows);
                string count = StoredRows(panel) is { } stored ? stored + ", " : "";
                Writer.Line($"PanelStore.Add({bias}, {y}, {count}{totals});");
            }
        }
    }

    /// <summary>How many rows of a panel are stored, where that depends on whether it is the layer's last; else null.</summary>
    private string? StoredRows(int panel)
    {
        if (Plan.LastPanelRows == PanelLayout.PanelRows || panel != Panels - 1)
        {
            return null;
        }

        return EndsWithLastPanel ? "LastPanelRows" : $"panel == Panels - {Panels} ? LastPanelRows : {PanelLayout.PanelRows}";
    }

    protected IEnumerable<string> Sums(string prefix) =>
        from row in Enumerable.Range(0, Rows.Rows)
        from panel in Enumerable.Range(0, Panels)
        from part in Enumerable.Range(0, Vectors.Parts)
        select Sum(prefix, row, panel, part);

    /// <summary>A name with the row, panel and part, each where there is more than one: <c>sum1P0A</c>.</summary>
    protected string Sum(string prefix, int row, int panel, int part) =>
        prefix + (Rows.Rows == 1 ? "" : row.ToString(System.Globalization.CultureInfo.InvariantCulture)) + PanelName(panel) + Vectors.PartName(part);

    protected string PanelName(int panel) => Panels == 1 ? "" : (Rows.Rows == 1 ? "" : "P") + panel.ToString(System.Globalization.CultureInfo.InvariantCulture);

    protected string Word(int panel, int part) => "words" + PanelName(panel).TrimStart('P') + (Panels == 1 && Vectors.Parts == 1 ? "0" : "") + Vectors.PartName(part);

    /// <summary>The place of a group's scales, in the simplest words.</summary>
    protected static string ScaleOffset(string group, int offset)
    {
        string plus = offset == 0 ? "" : $" + {offset}";
        return group == "0" ? offset.ToString(System.Globalization.CultureInfo.InvariantCulture)
            : int.TryParse(group, out int index) ? (index * PanelLayout.PanelRows + offset).ToString(System.Globalization.CultureInfo.InvariantCulture)
            : (group.Contains(" ") ? $"({group})" : group) + $" * {PanelLayout.PanelRows}" + plus;
    }

    /// <summary>Declares vectors of zeros, a few on a line.</summary>
    protected void WriteZeros(IEnumerable<string> names)
    {
        const int PerLine = 4;
        string[] all = names.ToArray();
        for (int i = 0; i < all.Length; i += PerLine)
        {
            Writer.Line($"{Vectors.Float} {string.Join(", ", all.Skip(i).Take(PerLine).Select(name => name + " = default"))};");
        }
    }
}
