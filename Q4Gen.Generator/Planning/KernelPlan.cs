using System;
using System.Collections.Generic;
using System.Linq;
using Q4Gen.Format;
using Q4Gen.Generator.Model;

namespace Q4Gen.Generator.Planning;

/// <summary>Everything that emitters may branch on for one shape; what follows from the shape alone is derived here, once.</summary>
/// <param name="Shape">The shape.</param>
/// <param name="BlockSteps">Steps that are summed in float32 before the scale is applied; never across a group's end.</param>
/// <param name="Isas">The vector instruction sets that get kernels, best first; empty where only the scalar kernel can run.</param>
/// <param name="Tuned">What tuning chose, for each instruction set and machine.</param>
internal sealed record KernelPlan(LayerShape Shape, int BlockSteps, EquatableArray<IsaPlan> Isas, EquatableArray<TunedPlan> Tuned)
{
    /// <summary>Which of <see cref="Tuned"/> is being emitted; null for the kernels that every machine may get.</summary>
    public TunedPlan? TunedFor { get; init; }

    /// <summary>Those of <see cref="Tuned"/> that differ from what every other machine gets, and so get kernels of their own.</summary>
    public IEnumerable<TunedPlan> TunedKernels => Tuned.Where(tuned => !Isas.Contains(tuned.Plan));

    /// <summary>Panels of 16 output features, the last one perhaps partly filled.</summary>
    public int Panels => (Shape.Out + PanelLayout.PanelRows - 1) / PanelLayout.PanelRows;

    /// <summary>Rows that the last panel really has.</summary>
    public int LastPanelRows => Shape.Out - (Panels - 1) * PanelLayout.PanelRows;

    /// <summary>Steps of 8 input features, the last one perhaps partly filled.</summary>
    public int Steps => (Shape.In + PanelLayout.StepColumns - 1) / PanelLayout.StepColumns;

    /// <summary>Columns of the step behind the whole ones; 0 where there is none.</summary>
    public int TailColumns => Shape.In % PanelLayout.StepColumns;

    /// <summary>Scales a row.</summary>
    public int Groups => (Shape.In - 1) / Shape.Group + 1;

    /// <summary>Steps that share a scale; meaningful for vector kernels, whose groups are whole steps.</summary>
    public int GroupSteps => Groups == 1 ? Steps : Shape.Group / PanelLayout.StepColumns;

    /// <summary>Blocks of a row, each a group or a piece of one.</summary>
    public int Blocks => (Groups - 1) * CeilingOf(GroupSteps, BlockSteps) + CeilingOf(Steps - (Groups - 1) * GroupSteps, BlockSteps);

    /// <summary>Whether blocks end where groups end without being cut there.</summary>
    public bool BlocksFitGroups => Groups == 1 || GroupSteps % BlockSteps == 0;

    private static int CeilingOf(int value, int divisor) => (value + divisor - 1) / divisor;
}

/// <summary>The kernels of one instruction set as they were best on one kind of machine.</summary>
/// <param name="Machine">The machine.</param>
/// <param name="Plan">The plan with its choices.</param>
/// <param name="Choices">The choices.</param>
internal sealed record TunedPlan(TuningMachine Machine, IsaPlan Plan, EquatableArray<TuningEntry> Choices);

/// <summary>Instruction sets with vector kernels.</summary>
internal enum Isa
{
    Vector128,
    Avx2,
    Avx512,
    AvxVnni,
    Dp,
}

/// <summary>How the kernels of one instruction set are built.</summary>
/// <param name="Isa">The instruction set.</param>
/// <param name="Rows">Kernels for few rows of x, which expand nibbles in registers; most rows first, one row last.</param>
/// <param name="PrefetchBytes">How far ahead of its use a line of weights is asked for; 0 for not at all.</param>
/// <param name="MinPackedRows">From how many rows on x is packed once, by all threads together, instead of by each for itself.</param>
/// <param name="Tile">The exact kernel for many rows of x, which runs on packed rows; null for 8-bit activations, whose row kernels do.</param>
internal sealed record IsaPlan(Isa Isa, EquatableArray<RowsPlan> Rows, int PrefetchBytes, int MinPackedRows, TilePlan? Tile)
{
    /// <summary>A multiple of the panels that any row kernel takes at a time: the unit in which work is shared between threads.</summary>
    public int UnitPanels => Rows.Aggregate(1, (unit, rows) => LeastCommonMultiple(unit, rows.Panels));

    /// <summary>
    /// The same plan for a layer of so many panels. A kernel that takes several at a time takes as many as divide them,
    /// so that none are left; only where nothing does, the last ones are computed together with some before them.
    /// </summary>
    public IsaPlan Within(int panels) => this with
    {
        Rows = Rows.Select(rows => rows with { Panels = Fitting(rows.Panels, panels) }).ToEquatableArray(),
        Tile = Tile is null || panels % Tile.Panels == 0 ? Tile : Tile with { Panels = 1 },
    };

    private static int Fitting(int planned, int panels)
    {
        int most = Math.Min(planned, panels);
        for (int count = most; count > 1; count--)
        {
            if (panels % count == 0)
            {
                return count;
            }
        }

        return most;
    }

    private static int LeastCommonMultiple(int a, int b)
    {
        int multiple = a;
        while (multiple % b != 0)
        {
            multiple += a;
        }

        return multiple;
    }
}

/// <summary>A kernel for a fixed number of rows of x.</summary>
/// <param name="Rows">Rows of x.</param>
/// <param name="Panels">Panels computed together: independent streams of weights.</param>
/// <param name="Accumulators">Running sums for each vector of outputs, over which the columns of a step alternate.</param>
/// <param name="IsFixedPoint">Whether x comes in 24-bit fixed point and sums are integers; of exact kernels for one row.</param>
internal sealed record RowsPlan(int Rows, int Panels, int Accumulators, bool IsFixedPoint = false);

/// <summary>The kernel for many rows: panels are expanded to float32 once, then multiplied with packed tiles of x.</summary>
/// <param name="Rows">Rows of x in a full tile.</param>
/// <param name="TailRows">Rows of x in the lower tiles for a remainder.</param>
/// <param name="Panels">Panels that a tile spans.</param>
/// <param name="ExpandSteps">Steps that are expanded at a time.</param>
/// <param name="UnrolledColumns">Columns in a turn of the innermost loop; one where a last step has not a whole number of turns.</param>
internal sealed record TilePlan(int Rows, int TailRows, int Panels, int ExpandSteps, int UnrolledColumns);
