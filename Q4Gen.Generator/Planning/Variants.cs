using System;
using System.Collections.Generic;
using System.Linq;
using Q4Gen.Format;
using Q4Gen.Generator.Model;

namespace Q4Gen.Generator.Planning;

/// <summary>One way to build the kernels for some number of rows.</summary>
/// <param name="Id">What tuning files call it; it spells out what it changes.</param>
/// <param name="Apply">Puts it into a plan, in place of what the planner chose by itself.</param>
internal sealed record Variant(string Id, Func<IsaPlan, IsaPlan> Apply);

/// <summary>
/// All variants that tuning may choose from: those that fit the registers of an instruction set. Every one of them gives
/// right results for every shape; which is fastest depends on the machine.
/// </summary>
internal static class Variants
{
    private static readonly int[] s_ahead = [0, 1024, 2048, 4096, 8192];

    /// <summary>From how many rows on packing them may pay; a kernel of few rows reads weights again for each handful.</summary>
    private static readonly int[] s_packedFrom = [4, 8, 12, 18, 24, 32, 48];

    /// <summary>The rows that have a choice of their own; kernels with 8-bit activations serve few and many alike.</summary>
    public static TunedRows[] RowsOf(LayerPrecision precision) =>
        precision == LayerPrecision.Int8Activations ? [TunedRows.One, TunedRows.Many] : [TunedRows.One, TunedRows.Few, TunedRows.Many];

    /// <summary>The variants for some rows; none where there is nothing to choose.</summary>
    public static IReadOnlyList<Variant> For(LayerPrecision precision, Isa isa, TunedRows rows) => (precision, rows) switch
    {
        (LayerPrecision.Int8Activations, TunedRows.One) => Int8One(isa),
        (LayerPrecision.Int8Activations, TunedRows.Many) => Int8Many(isa),
        (LayerPrecision.Int8Activations, _) => [],
        (_, TunedRows.One) => ExactOne(isa),
        (_, TunedRows.Few) => ExactFew(isa),
        _ => ExactMany(isa),
    };

    /// <summary>The variant with an id; null where there is none.</summary>
    public static Variant? Find(LayerPrecision precision, Isa isa, TunedRows rows, string id) =>
        For(precision, isa, rows).FirstOrDefault(variant => variant.Id == id);

    private static IReadOnlyList<Variant> ExactOne(Isa isa)
    {
        // Running sums that fit beside what a step needs, of 32 registers, 16, and 16 on the smallest that have 128 bits; and so many
        // that they hide the latency of the multiply-add at least in part: fewer would never win.
        (int Panels, int Sums)[] shapes = isa switch
        {
            Isa.Avx512 => [(2, 1), (2, 2), (4, 1), (4, 2), (8, 1), (8, 2)],
            Isa.Avx2 => [(1, 2), (2, 1), (2, 2), (4, 1)],
            Isa.Vector128 => [(1, 2), (2, 1)],
            _ => [],
        };
        IEnumerable<Variant> floats =
            from shape in shapes
            from ahead in s_ahead
            select One(FormattableString.Invariant($"panels{shape.Panels}-sums{shape.Sums}-ahead{ahead}"), new RowsPlan(1, shape.Panels, shape.Sums), ahead);
        return isa != Isa.Avx2
            ? [.. floats]
            : [.. floats, .. s_ahead.Select(static ahead => One(FormattableString.Invariant($"fixed-ahead{ahead}"), new RowsPlan(1, 1, 1, IsFixedPoint: true), ahead))];
    }

    private static IReadOnlyList<Variant> Int8One(Isa isa)
    {
        int[] panels = isa is Isa.Vector128 or Isa.Dp ? [1, 2] : [1, 2, 4];
        return
        [
            .. from count in panels
               from ahead in s_ahead
               select One(FormattableString.Invariant($"panels{count}-ahead{ahead}"), new RowsPlan(1, count, 1), ahead),
        ];
    }

    private static Variant One(string id, RowsPlan row, int ahead) => new(
        id, isa => isa with { Rows = isa.Rows.Where(static rows => rows.Rows > 1).Append(row).ToEquatableArray(), PrefetchBytes = ahead });

    private static IReadOnlyList<Variant> ExactFew(Isa isa)
    {
        RowsPlan[][] heights = isa switch
        {
            Isa.Avx512 => [[new(4, 1, 2), new(2, 2, 2)], [new(4, 1, 2)], [new(2, 2, 2)], [new(4, 2, 1), new(2, 2, 2)], [new(6, 1, 1), new(2, 2, 2)], [new(8, 1, 1), new(4, 1, 2), new(2, 2, 2)]],
            Isa.Avx2 => [[new(4, 1, 1)], [new(4, 1, 1), new(2, 1, 1)], [new(3, 1, 1)], [new(2, 1, 1)], [new(2, 2, 1)], [new(5, 1, 1), new(2, 1, 1)]],
            Isa.Vector128 => [[], [new(2, 1, 1)], [new(4, 1, 1), new(2, 1, 1)]],
            _ => [],
        };
        return [.. heights.Select(static rows => new Variant(IdOf(rows), isa => isa with { Rows = rows.Concat(isa.Rows.Where(static row => row.Rows == 1)).ToEquatableArray() }))];
    }

    private static IReadOnlyList<Variant> ExactMany(Isa isa)
    {
        (int Rows, int Panels, int[] Tails)[] tiles = isa switch
        {
            Isa.Avx512 => [(12, 2, [2, 4, 6]), (14, 2, [2, 7]), (8, 2, [2, 4]), (24, 1, [4, 8])],
            Isa.Avx2 => [(6, 1, [1, 2, 3]), (5, 1, [1, 5]), (4, 1, [2, 4])],
            Isa.Vector128 => [(4, 1, [1, 2, 4]), (3, 1, [1, 3]), (2, 1, [2]), (6, 1, [2, 3])],
            _ => [],
        };
        int[] expandSteps = [8, 16, 32, 64];
        return
        [
            .. from tile in tiles
               from tail in tile.Tails
               from steps in expandSteps
               from packed in isa == Isa.Vector128 ? s_packedFrom : s_packedFrom.Skip(1)
               select new Variant(
                   FormattableString.Invariant($"tile{tile.Rows}x{tile.Panels * PanelLayout.PanelRows}-tail{tail}-expand{steps * PanelLayout.StepColumns}-from{packed}"),
                   isa => isa with { Tile = isa.Tile! with { Rows = tile.Rows, TailRows = tail, Panels = tile.Panels, ExpandSteps = steps }, MinPackedRows = packed }),
        ];
    }

    private static IReadOnlyList<Variant> Int8Many(Isa isa)
    {
        // Rows are cut into the highest tiles, then 4, 2 and 1; see the runtime's RowTiles.
        RowsPlan[][] heights = isa switch
        {
            Isa.AvxVnni => [[new(5, 1, 1), new(4, 1, 1), new(2, 2, 1)], [new(5, 1, 1), new(4, 1, 1), new(2, 1, 1)], [new(4, 1, 1), new(2, 2, 1)], [new(2, 2, 1)]],
            Isa.Avx512 => [[new(4, 1, 1), new(2, 2, 1)], [new(5, 1, 1), new(4, 1, 1), new(2, 2, 1)], [new(4, 2, 1), new(2, 2, 1)], [new(2, 2, 1)]],
            Isa.Avx2 => [[new(4, 1, 1), new(2, 1, 1)], [new(4, 1, 1), new(2, 2, 1)], [new(5, 1, 1), new(4, 1, 1), new(2, 1, 1)], [new(2, 1, 1)], [new(2, 2, 1)]],
            Isa.Dp => [[new(4, 1, 1), new(2, 1, 1)], [new(5, 1, 1), new(4, 1, 1), new(2, 1, 1)], [new(2, 1, 1)]],
            _ => [[], [new(2, 1, 1)], [new(4, 1, 1), new(2, 1, 1)]],
        };
        return
        [
            .. from rows in heights
               from packed in s_packedFrom.Prepend(2)
               select new Variant(
                   FormattableString.Invariant($"{IdOf(rows)}-from{packed}"),
                   isa => isa with { Rows = rows.Concat(isa.Rows.Where(static row => row.Rows == 1)).ToEquatableArray(), MinPackedRows = packed }),
        ];
    }

    /// <summary>Rows × panels, and how many running sums where there are several: <c>rows4x1s2-rows2x2s2</c>.</summary>
    private static string IdOf(RowsPlan[] rows) => rows.Length == 0
        ? "rows1"
        : string.Join("-", rows.Select(static row => FormattableString.Invariant($"rows{row.Rows}x{row.Panels}{(row.Accumulators == 1 ? "" : $"s{row.Accumulators}")}")));
}
