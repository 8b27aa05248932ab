using System.Collections.Generic;
using System.Linq;
using Q4Gen.Format;
using Q4Gen.Generator.Emit.Cpu;
using Q4Gen.Generator.Model;
using Q4Gen.Generator.Planning;
using static Q4Gen.Generator.Emit.Gpu.TensorText;

namespace Q4Gen.Generator.Emit.Gpu;

/// <summary>
/// Prints the kernels for many rows of x. x comes through shared memory in tiles that all warps of a group read, copied
/// some tiles ahead; weights, which each warp has its own of, go straight to registers, one tile ahead.
/// </summary>
internal static class TensorTileEmitter
{
    private const int WarpChunks = TensorTilePlan.WarpChunks;

    public static SourceFile Emit(GpuPlan plan, TensorTilePlan tile)
    {
        string name = GpuEmitter.Name(plan, "Linear4Bit", "mma_" + tile.Role.ToLowerInvariant());
        string rows = tile.MaxRows == int.MaxValue ? "any number of" : SourceWriter.Text($"up to {tile.MaxRows}");
        var writer = new SourceWriter();
        KernelFile.Open(
            writer,
            [
                $"Q4Gen: tensor-core kernel of a 4-bit linear layer {KernelFile.Describe(plan.Layer)}, for {rows} rows of x.",
                "",
                .. FragmentStory,
                "",
                SourceWriter.Text($"A group of {tile.Threads / 32} warps computes {tile.Outputs} outputs x {tile.Rows} rows: {tile.OutputWarps} warps over outputs, {tile.RowWarps} over rows, {tile.ColumnWarps} over columns,"),
                SourceWriter.Text($"each {tile.Pairs * GpuPlan.PairOutputs} outputs x {tile.Fragments * GpuPlan.FragmentRows} rows. Tiles of x, {tile.Rows} rows x {tile.Columns} columns, are in shared memory, {tile.Stages - 1} of them on"),
                "their way. In a tile, 16-byte pieces of odd rows change places by fours, so that no two threads meet in a bank.",
            ],
            TensorFrame.Using(plan));
        writer.Line($"/// <summary>Tensor-core kernel for layers {KernelFile.Describe(plan.Layer).Replace("->", "→")}.</summary>");
        KernelFile.MarkGenerated(writer);
        using (writer.Block($"internal static class {name}"))
        {
            TensorFrame.Write(
                writer, plan, GpuEmitter.Name(plan, tile.Role, "mma"), $"For {rows} rows of x.", tile.Threads, tile.MinGroups,
                body => new Body(body, plan, tile).Write());
        }

        return new SourceFile(name + ".g.cs", writer.ToString());
    }

    /// <summary>One kernel's PTX.</summary>
    private sealed class Body(SourceWriter writer, GpuPlan plan, TensorTilePlan tile)
    {
        private readonly KernelPlan _layer = plan.Layer;

        /// <summary>Chunks that share a scale, of those that a warp takes from a tile.</summary>
        private readonly int _runChunks = plan.RunChunks(WarpChunks);

        /// <summary>Whether the last tile has fewer columns.</summary>
        private readonly bool _isRagged = plan.Layer.Steps % (tile.Columns / PanelLayout.StepColumns) != 0;

        private int TileSteps => tile.Columns / PanelLayout.StepColumns;

        private int Tiles => GpuPlan.Ceiling(_layer.Steps, TileSteps);

        private int RowPieces => tile.RowBytes / 16;

        private int CopyRows => tile.Threads / RowPieces;

        public void Write()
        {
            WriteRegisters();
            writer.Line();
            Constants(writer);
            writer.Line();
            WritePosition();
            writer.Line();
            WriteCopyPosition();
            writer.Line();
            WriteStart();
            writer.Line();
            WriteLoop();
            writer.Line();
            if (tile.ColumnWarps > 1)
            {
                WriteJoin();
                writer.Line();
            }

            TensorStoreText.Write(writer, plan, tile);
        }

        private void WriteRegisters()
        {
            Declare(writer, "pred", ["isTile", "isCopied", "isRow", "isColumn", "isStep", "isJoined", "isStored", "isHalf", "isBiased", "isQuad"]);
            Declare(writer, "pred", Names("isFragment", tile.Fragments));
            Declare(writer, "b32", ["thread", "lane", "warp", "g", "t", "quad", "outputWarp", "rowWarp", "columnWarp", "panel", "firstRow", "row", "tile", "group", "output", "temp"]);
            Declare(writer, "b32", ["readBase", "readAt", "readNext", "writeBase", "writeAt", "copyRow", "copiedTile", "column", "bytes"]);
            Declare(writer, "b64", ["xTile", "from", "address", "rowStride"]);
            Declare(writer, "b64", Names("wordAddress", tile.Pairs).Concat(Names("scaleAddress", tile.Pairs)));
            for (int pair = 0; pair < tile.Pairs; pair++)
            {
                for (int chunk = 0; chunk < WarpChunks; chunk++)
                {
                    Declare(writer, "b32", Names(Word(pair, chunk), 4));
                }

                Declare(writer, "b32", Enumerable.Range(0, WarpChunks / _runChunks).SelectMany(run => Names(Packed(pair, run), 2)));
                Declare(writer, "b32", FragmentNames(Weight(pair)));
                for (int fragment = 0; fragment < tile.Fragments; fragment++)
                {
                    Declare(writer, "f32", Names(Sum(pair, fragment), 8).Concat(Names(Total(pair, fragment), 8)));
                }
            }

            Declare(writer, "b32", ["x0", "x1", "x2", "x3", "low", "high"]);
            Declare(writer, "b16", ["half0", "half1", "half2", "half3"]);
            Declare(writer, "f32", ["zero", "scale0", "scale1", "scale2", "scale3", "bias0", "bias1", "bias2", "bias3", "part"]);
            writer.Line($".shared .align 128 .b8 tiles[{tile.Stages * tile.TileBytes}];");
        }

        private void WritePosition()
        {
            writer.Line("// Where this thread stands.");
            writer.Line("mov.u32 thread, %%tid.x;");
            writer.Line("and.b32 lane, thread, 31;");
            writer.Line("shr.u32 warp, thread, 5;");
            writer.Line("shr.u32 g, lane, 2;");
            writer.Line("and.b32 t, lane, 3;");
            writer.Line("and.b32 quad, g, 3;");
            writer.Line($"rem.u32 outputWarp, warp, {tile.OutputWarps};");
            writer.Line($"div.u32 temp, warp, {tile.OutputWarps};");
            writer.Line($"rem.u32 rowWarp, temp, {tile.RowWarps};");
            writer.Line($"div.u32 columnWarp, temp, {tile.RowWarps};");
            writer.Line();
            writer.Line("// Its rows of x.");
            writer.Line("mov.u32 firstRow, %%ctaid.y;");
            writer.Line($"mul.lo.u32 firstRow, firstRow, {tile.Rows};");
            writer.Line($"mad.lo.u32 row, rowWarp, {tile.Fragments * GpuPlan.FragmentRows}, firstRow;");
            for (int fragment = 0; fragment < tile.Fragments; fragment++)
            {
                writer.Line($"add.u32 temp, row, {fragment * GpuPlan.FragmentRows};");
                writer.Line($"setp.lt.u32 isFragment{fragment}, temp, %5;");
            }

            writer.Line();
            writer.Line("// Its words and scales.");
            writer.Line("mov.u32 temp, %%ctaid.x;");
            writer.Line($"mad.lo.u32 temp, temp, {tile.OutputWarps}, outputWarp;");
            writer.Line($"mul.lo.u32 temp, temp, {tile.Pairs * GpuPlan.PairPanels};");
            writer.Line("shr.u32 output, g, 2;");
            writer.Line("add.u32 output, output, temp;");
            for (int pair = 0; pair < tile.Pairs; pair++)
            {
                writer.Line($"add.u32 panel, output, {pair * GpuPlan.PairPanels};");
                if (_layer.Panels % (tile.Outputs / PanelLayout.PanelRows) != 0)
                {
                    writer.Line($"min.u32 panel, panel, {_layer.Panels - 1};   // computed again, not stored");
                }

                writer.Line($"mad.lo.u32 temp, panel, {_layer.Steps}, t;");
                writer.Line($"mad.lo.u32 temp, columnWarp, {WarpChunks * GpuPlan.ChunkSteps}, temp;");
                writer.Line($"mad.wide.u32 wordAddress{pair}, temp, {PanelLayout.StepBytes}, %0;");
                writer.Line($"mad.wide.u32 wordAddress{pair}, quad, 16, wordAddress{pair};");
                writer.Line($"mul.lo.u32 temp, panel, {_layer.Groups * PanelLayout.PanelRows};");
                writer.Line("mad.lo.u32 temp, quad, 4, temp;");
                writer.Line($"mad.wide.u32 scaleAddress{pair}, temp, 2, %1;");
            }

            writer.Line($"mul.lo.u32 output, output, {PanelLayout.PanelRows};");
            writer.Line("mad.lo.u32 output, quad, 4, output;");
            writer.Line();
            writer.Line("// Its 16 bytes of x in a tile: row g of its first fragment, step t of its first chunk.");
            writer.Line("mov.u32 readBase, tiles;");
            writer.Line($"mad.lo.u32 temp, rowWarp, {tile.Fragments * GpuPlan.FragmentRows}, g;");
            writer.Line($"mad.lo.u32 readBase, temp, {tile.RowBytes}, readBase;");
            writer.Line($"mad.lo.u32 readBase, columnWarp, {TensorTilePlan.WarpColumns * 2}, readBase;");
            writer.Line("and.b32 temp, g, 1;");
            writer.Line("mad.lo.u32 temp, temp, 4, t;");
            writer.Line("mad.lo.u32 readBase, temp, 16, readBase;");
        }

        private void WriteCopyPosition()
        {
            writer.Line($"// What it copies of a tile: {tile.CopiesPerThread} pieces of 16 bytes, {CopyRows} rows apart. Rows that x lacks are filled with zeros.");
            writer.Line($"div.u32 temp, thread, {RowPieces};");
            writer.Line($"rem.u32 column, thread, {RowPieces};");
            writer.Line("and.b32 writeAt, temp, 1;");
            writer.Line("shl.b32 writeAt, writeAt, 2;");
            writer.Line("xor.b32 writeAt, writeAt, column;");
            writer.Line("mov.u32 writeBase, tiles;");
            writer.Line($"mad.lo.u32 writeBase, temp, {tile.RowBytes}, writeBase;");
            writer.Line("mad.lo.u32 writeBase, writeAt, 16, writeBase;");
            writer.Line("mad.wide.u32 xTile, column, 16, %3;");
            writer.Line($"mul.lo.u32 column, column, {PanelLayout.StepColumns};");
            writer.Line("add.u32 copyRow, temp, firstRow;");
        }

        private void WriteStart()
        {
            writer.Line("// The first tiles.");
            writer.Line("mov.u32 writeAt, writeBase;");
            writer.Line("mov.u32 copiedTile, 0;");
            for (int stage = 0; stage < tile.Stages - 1; stage++)
            {
                WriteCopy(SourceWriter.Text($"FILLED{stage}"));
            }

            writer.Line();
            writer.Line("mov.f32 zero, 0f00000000;");
            for (int pair = 0; pair < tile.Pairs; pair++)
            {
                for (int fragment = 0; fragment < tile.Fragments; fragment++)
                {
                    foreach (string total in Names(Total(pair, fragment), 8))
                    {
                        writer.Line($"mov.f32 {total}, zero;");
                    }
                }
            }

            writer.Line();
            writer.Line("mov.u32 tile, 0;");
            writer.Line("setp.eq.u32 isTile, tile, 0;");
            for (int pair = 0; pair < tile.Pairs; pair++)
            {
                for (int chunk = 0; chunk < WarpChunks; chunk++)
                {
                    LoadWords(pair, chunk);
                }

                for (int run = 0; run < WarpChunks / _runChunks; run++)
                {
                    LoadScales(pair, run);
                }
            }

            writer.Line("mov.u32 readAt, readBase;");
        }

        /// <summary>Copies the next tile, if there is one; counts as a group of copies in any case.</summary>
        private void WriteCopy(string label)
        {
            writer.Line($"setp.lt.u32 isCopied, copiedTile, {Tiles};");
            writer.Line($"@!isCopied bra {label};");
            if (_isRagged)
            {
                writer.Line($"setp.lt.u32 isColumn, column, {plan.PaddedColumns};");
                writer.Line($"add.u32 column, column, {tile.Columns};");
            }

            for (int i = 0; i < tile.CopiesPerThread; i++)
            {
                writer.Line($"add.u32 row, copyRow, {i * CopyRows};");
                writer.Line("setp.lt.u32 isRow, row, %5;");
                if (_isRagged)
                {
                    writer.Line("and.pred isRow, isRow, isColumn;");
                }

                writer.Line("selp.b32 bytes, 16, 0, isRow;");
                writer.Line("selp.b32 row, row, 0, isRow;");
                writer.Line($"mad.wide.u32 from, row, {plan.PaddedColumns * 2}, xTile;");
                if (_isRagged)
                {
                    writer.Line("selp.b64 from, from, %3, isRow;");
                }

                writer.Line($"cp.async.cg.shared.global [writeAt + {i * CopyRows * tile.RowBytes}], [from], 16, bytes;");
            }

            writer.Line($"add.s64 xTile, xTile, {tile.RowBytes};");
            writer.Line("add.u32 copiedTile, copiedTile, 1;");
            writer.Line($"add.u32 writeAt, writeAt, {tile.TileBytes};");
            writer.Line($"sub.u32 temp, writeAt, writeBase;");
            writer.Line($"setp.eq.u32 isCopied, temp, {tile.Stages * tile.TileBytes};");
            writer.Line("selp.b32 writeAt, writeBase, writeAt, isCopied;");
            writer.Line($"{label}:");
            writer.Line("cp.async.commit_group;");
        }

        private void WriteLoop()
        {
            writer.Line("TILE:");
            writer.Line("// This tile is here, and everyone has read the one that the next copy goes over.");
            writer.Line($"cp.async.wait_group {tile.Stages - 2};");
            writer.Line("bar.sync 0;");
            WriteCopy("COPIED");
            writer.Line("add.u32 tile, tile, 1;");
            writer.Line($"setp.lt.u32 isTile, tile, {Tiles};");
            for (int pair = 0; pair < tile.Pairs; pair++)
            {
                writer.Line($"add.s64 wordAddress{pair}, wordAddress{pair}, {TileSteps * PanelLayout.StepBytes};");
            }

            for (int chunk = 0; chunk < WarpChunks; chunk++)
            {
                WriteChunk(chunk);
            }

            writer.Line();
            writer.Line($"add.u32 readAt, readAt, {tile.TileBytes};");
            writer.Line("sub.u32 temp, readAt, readBase;");
            writer.Line($"setp.eq.u32 isCopied, temp, {tile.Stages * tile.TileBytes};");
            writer.Line("selp.b32 readAt, readBase, readAt, isCopied;");
            writer.Line("@isTile bra TILE;");
        }

        private void WriteChunk(int chunk)
        {
            writer.Line();
            writer.Line(SourceWriter.Text($"// Columns {32 * chunk} to {32 * chunk + 31} of the warp's {TensorTilePlan.WarpColumns}."));
            for (int pair = 0; pair < tile.Pairs; pair++)
            {
                for (int row = 0; row < 4; row++)
                {
                    Dequantise(writer, SourceWriter.Text($"{Word(pair, chunk)}{row}"), SourceWriter.Text($"{Weight(pair)}{row}"));
                }

                LoadWords(pair, chunk);
            }

            string at = "readAt";
            if (chunk > 0)
            {
                // The second chunk's pieces are the other four, wherever the first one's are.
                writer.Line("xor.b32 readNext, readAt, 64;");
                at = "readNext";
            }

            for (int fragment = 0; fragment < tile.Fragments; fragment++)
            {
                string skip = SourceWriter.Text($"SKIP{chunk}_{fragment}");
                writer.Line($"@!isFragment{fragment} bra {skip};");
                writer.Line($"ld.shared.v4.b32 {{x0, x1, x2, x3}}, [{at} + {fragment * GpuPlan.FragmentRows * tile.RowBytes}];");
                for (int pair = 0; pair < tile.Pairs; pair++)
                {
                    Multiply(writer, Sum(pair, fragment), Weight(pair), "x", isFirst: chunk % _runChunks == 0);
                }

                writer.Line($"{skip}:");
            }

            if (chunk % _runChunks == _runChunks - 1)
            {
                WriteScaling(chunk / _runChunks);
            }
        }

        private void WriteScaling(int run)
        {
            for (int pair = 0; pair < tile.Pairs; pair++)
            {
                WidenScales(writer, Packed(pair, run));
                for (int fragment = 0; fragment < tile.Fragments; fragment++)
                {
                    string skip = SourceWriter.Text($"SCALED{run}_{pair}_{fragment}");
                    writer.Line($"@!isFragment{fragment} bra {skip};");
                    AddScaled(writer, Total(pair, fragment), Sum(pair, fragment));
                    writer.Line($"{skip}:");
                }

                LoadScales(pair, run);
            }
        }

        private void LoadWords(int pair, int chunk)
        {
            string words = string.Join(", ", Names(Word(pair, chunk), 4));
            string isWord = "isTile";
            if (_isRagged)
            {
                // Beyond the last step weights are zero.
                writer.Line($"mad.lo.u32 temp, tile, {tile.ColumnWarps}, columnWarp;");
                writer.Line($"mad.lo.u32 temp, temp, {WarpChunks * GpuPlan.ChunkSteps}, t;");
                writer.Line($"setp.lt.s32 isStep, temp, {System.Math.Max(0, _layer.Steps - chunk * GpuPlan.ChunkSteps)};");
                foreach (string word in Names(Word(pair, chunk), 4))
                {
                    writer.Line($"mov.b32 {word}, 0x88888888;");
                }

                isWord = "isStep";
            }

            writer.Line($"@{isWord} ld.global.nc.v4.b32 {{{words}}}, [wordAddress{pair} + {chunk * GpuPlan.ChunkSteps * PanelLayout.StepBytes}];");
        }

        private void LoadScales(int pair, int run)
        {
            int runs = WarpChunks / _runChunks;
            writer.Line($"mad.lo.u32 temp, tile, {tile.ColumnWarps}, columnWarp;");
            GroupOf(writer, plan, "temp", runs, run, _runChunks, _isRagged);
            writer.Line($"mad.wide.u32 address, group, {PanelLayout.PanelRows * 2}, scaleAddress{pair};");
            writer.Line($"@isTile ld.global.nc.v2.b32 {{{Packed(pair, run)}0, {Packed(pair, run)}1}}, [address];");
        }

        private void WriteJoin()
        {
            int warps = tile.OutputWarps * tile.RowWarps;
            int sums = tile.Pairs * tile.Fragments * 8;
            writer.Line("// Warps of other columns hand their totals to the first, which adds them in order.");
            writer.Line("cp.async.wait_all;");
            writer.Line("bar.sync 0;");
            writer.Line("mov.u32 readBase, tiles;");
            writer.Line($"mad.lo.u32 temp, rowWarp, {tile.OutputWarps}, outputWarp;");
            writer.Line($"mad.lo.u32 readBase, temp, {sums * 128}, readBase;");
            writer.Line("mad.lo.u32 readBase, lane, 4, readBase;");
            writer.Line("setp.eq.u32 isJoined, columnWarp, 0;");
            writer.Line("@isJoined bra JOIN;");
            writer.Line("sub.u32 temp, columnWarp, 1;");
            writer.Line($"mad.lo.u32 temp, temp, {warps * sums * 128}, readBase;");
            int index = 0;
            foreach (string total in Totals())
            {
                writer.Line($"st.shared.f32 [temp + {index++ * 128}], {total};");
            }

            writer.Line("JOIN:");
            writer.Line("bar.sync 0;");
            writer.Line("@!isJoined bra DONE;");
            for (int warp = 1; warp < tile.ColumnWarps; warp++)
            {
                index = (warp - 1) * warps * sums;
                foreach (string total in Totals())
                {
                    writer.Line($"ld.shared.f32 part, [readBase + {index++ * 128}];");
                    writer.Line($"add.rn.f32 {total}, {total}, part;");
                }
            }
        }

        private IEnumerable<string> Totals() =>
            from pair in Enumerable.Range(0, tile.Pairs)
            from fragment in Enumerable.Range(0, tile.Fragments)
            from total in Names(Total(pair, fragment), 8)
            select total;

        private static string Word(int pair, int chunk) => SourceWriter.Text($"word{pair}{chunk}");

        private static string Packed(int pair, int run) => SourceWriter.Text($"packed{pair}{run}");

        private static string Weight(int pair) => SourceWriter.Text($"w{pair}");

        private static string Sum(int pair, int fragment) => SourceWriter.Text($"sum{pair}{fragment}");

        private static string Total(int pair, int fragment) => SourceWriter.Text($"total{pair}{fragment}");
    }
}
