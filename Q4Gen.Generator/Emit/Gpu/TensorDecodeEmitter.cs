using System.Linq;
using Q4Gen.Format;
using Q4Gen.Generator.Emit.Cpu;
using Q4Gen.Generator.Model;
using Q4Gen.Generator.Planning;
using static Q4Gen.Generator.Emit.Gpu.TensorText;

namespace Q4Gen.Generator.Emit.Gpu;

/// <summary>
/// Prints the kernel for up to eight rows of x, one fragment, so that one row costs as much as eight. A group computes
/// a pair of panels; its warps take the columns in turn, straight from memory, and their sums are added in shared memory
/// in the order of the warps: the same result every time.
/// </summary>
internal static class TensorDecodeEmitter
{
    /// <summary>Groups that a multiprocessor is to hold: 16 warps, each with a unit of 2 KiB of weights on its way.</summary>
    public const int MinGroups = 2;

    /// <summary>Chunks that a warp takes at a time.</summary>
    private const int UnitChunks = 4;

    private const int UnitSteps = UnitChunks * GpuPlan.ChunkSteps;

    private const string Role = "Decode";

    public static SourceFile Emit(GpuPlan plan)
    {
        string name = GpuEmitter.Name(plan, "Linear4Bit", "mma_decode");
        KernelPlan layer = plan.Layer;
        var writer = new SourceWriter();
        KernelFile.Open(
            writer,
            [
                $"Q4Gen: tensor-core kernel of a 4-bit linear layer {KernelFile.Describe(layer)}, for up to {GpuPlan.DecodeRows} rows of x.",
                "",
                .. FragmentStory,
                "",
                "A group of 8 warps computes 32 outputs. The warps take units of 128 columns in turn; while one is multiplied, the",
                "next is on its way. The warps' sums are added in shared memory, in order.",
            ],
            TensorFrame.Using(plan));
        writer.Line($"/// <summary>Tensor-core kernel for layers {KernelFile.Describe(layer).Replace("->", "→")}.</summary>");
        KernelFile.MarkGenerated(writer);
        using (writer.Block($"internal static class {name}"))
        {
            TensorFrame.Write(
                writer, plan, GpuEmitter.Name(plan, Role, "mma"), "Up to eight rows of x.", 32 * GpuPlan.DecodeWarps, MinGroups, body => WriteBody(body, plan));
        }

        return new SourceFile(name + ".g.cs", writer.ToString());
    }

    private static void WriteBody(SourceWriter writer, GpuPlan plan)
    {
        KernelPlan layer = plan.Layer;
        int units = GpuPlan.Ceiling(layer.Steps, UnitSteps);
        bool isRagged = layer.Steps % UnitSteps != 0;
        int runChunks = plan.RunChunks(UnitChunks);
        WriteRegisters(writer, runChunks, isRagged);
        writer.Line();
        Constants(writer);
        writer.Line();
        WritePosition(writer, plan);
        writer.Line();
        writer.Line("// The first unit of the warp.");
        writer.Line("mov.f32 zero, 0f00000000;");
        foreach (string total in Names("total", 8))
        {
            writer.Line($"mov.f32 {total}, zero;");
        }

        if (isRagged)
        {
            writer.Line($"mad.lo.u32 step, warp, {UnitSteps}, t;");
        }
        else
        {
            foreach (string x in Enumerable.Range(0, UnitChunks).SelectMany(chunk => Names(SourceWriter.Text($"x{chunk}"), 4)))
            {
                writer.Line($"mov.b32 {x}, 0;");
            }
        }

        writer.Line("mov.u32 unit, warp;");
        writer.Line($"setp.lt.u32 isUnit, unit, {units};");
        for (int chunk = 0; chunk < UnitChunks; chunk++)
        {
            LoadChunk(writer, layer, chunk, isRagged);
        }

        for (int run = 0; run < UnitChunks / runChunks; run++)
        {
            LoadScales(writer, plan, run, runChunks, isRagged);
        }

        writer.Line("@!isUnit bra JOIN;");
        writer.Line();
        writer.Line("UNIT:");
        writer.Line($"add.u32 unit, unit, {GpuPlan.DecodeWarps};");
        if (isRagged)
        {
            writer.Line($"add.u32 step, step, {GpuPlan.DecodeWarps * UnitSteps};");
        }

        writer.Line($"setp.lt.u32 isUnit, unit, {units};");
        writer.Line($"add.s64 wordAddress, wordAddress, {GpuPlan.DecodeWarps * UnitSteps * PanelLayout.StepBytes};");
        writer.Line($"add.s64 xAddress, xAddress, {GpuPlan.DecodeWarps * UnitSteps * PanelLayout.StepColumns * 2};");
        for (int chunk = 0; chunk < UnitChunks; chunk++)
        {
            WriteChunk(writer, plan, chunk, runChunks, isRagged);
        }

        writer.Line();
        writer.Line("@isUnit bra UNIT;");
        writer.Line();
        WriteJoin(writer, plan);
    }

    private static void WriteRegisters(SourceWriter writer, int runChunks, bool isRagged)
    {
        Declare(writer, "pred", ["isUnit", "isRow", "isStored", "isHalf", "isBiased", .. isRagged ? new[] { "isStep", "isRowStep" } : ["isLoaded"]]);
        Declare(writer, "b32", ["thread", "lane", "warp", "g", "t", "quad", "panel", "row", "unit", "step", "group", "output", "part", "temp"]);
        Declare(writer, "b64", ["wordAddress", "scaleAddress", "xAddress", "address"]);
        for (int chunk = 0; chunk < UnitChunks; chunk++)
        {
            Declare(writer, "b32", Names(SourceWriter.Text($"word{chunk}"), 4).Concat(Names(SourceWriter.Text($"x{chunk}"), 4)));
        }

        Declare(writer, "b32", Enumerable.Range(0, UnitChunks / runChunks).SelectMany(run => Names(SourceWriter.Text($"packed{run}"), 2)));
        Declare(writer, "b32", FragmentNames("w"));
        Declare(writer, "b16", ["half0", "half1", "half2", "half3"]);
        Declare(writer, "f32", ["zero", "scale0", "scale1", "scale2", "scale3", "value", "offset"]);
        Declare(writer, "f32", Names("sum", 8).Concat(Names("total", 8)));
        writer.Line($".shared .align 16 .b8 parts[{GpuPlan.DecodeWarps * 8 * 32 * 4}];");
    }

    private static void WritePosition(SourceWriter writer, GpuPlan plan)
    {
        KernelPlan layer = plan.Layer;
        writer.Line("// Where this thread stands.");
        writer.Line("mov.u32 thread, %%tid.x;");
        writer.Line("and.b32 lane, thread, 31;");
        writer.Line("shr.u32 warp, thread, 5;");
        writer.Line("shr.u32 g, lane, 2;");
        writer.Line("and.b32 t, lane, 3;");
        writer.Line("and.b32 quad, g, 3;");
        writer.Line("shr.u32 panel, g, 2;");
        writer.Line("mov.u32 temp, %%ctaid.x;");
        writer.Line($"mad.lo.u32 panel, temp, {GpuPlan.PairPanels}, panel;");
        writer.Line($"mul.lo.u32 output, panel, {PanelLayout.PanelRows};");
        writer.Line("mad.lo.u32 output, quad, 4, output;");
        if (layer.Panels % GpuPlan.PairPanels != 0)
        {
            writer.Line($"min.u32 panel, panel, {layer.Panels - 1};   // computed twice, stored once");
        }

        writer.Line();
        writer.Line("// Its words, of the warp's first unit.");
        writer.Line($"mad.lo.u32 temp, panel, {layer.Steps}, t;");
        writer.Line($"mad.lo.u32 temp, warp, {UnitSteps}, temp;");
        writer.Line($"mad.wide.u32 wordAddress, temp, {PanelLayout.StepBytes}, %0;");
        writer.Line("mad.wide.u32 wordAddress, quad, 16, wordAddress;");
        writer.Line($"mul.lo.u32 temp, panel, {layer.Groups * PanelLayout.PanelRows};");
        writer.Line("mad.lo.u32 temp, quad, 4, temp;");
        writer.Line("mad.wide.u32 scaleAddress, temp, 2, %1;");
        writer.Line();
        writer.Line("// Its row of x; nothing is loaded, and zeros stay, where there is none.");
        writer.Line("mov.u32 row, %%ctaid.y;");
        writer.Line($"mad.lo.u32 row, row, {GpuPlan.DecodeRows}, g;");
        writer.Line("setp.lt.u32 isRow, row, %5;");
        writer.Line($"mad.wide.u32 xAddress, row, {plan.PaddedColumns * 2}, %3;");
        writer.Line($"mad.lo.u32 temp, warp, {UnitSteps}, t;");
        writer.Line($"mad.wide.u32 xAddress, temp, {PanelLayout.StepColumns * 2}, xAddress;");
    }

    private static void WriteChunk(SourceWriter writer, GpuPlan plan, int chunk, int runChunks, bool isRagged)
    {
        writer.Line();
        writer.Line(SourceWriter.Text($"// Columns {32 * chunk} to {32 * chunk + 31} of the unit."));
        for (int row = 0; row < 4; row++)
        {
            Dequantise(writer, SourceWriter.Text($"word{chunk}{row}"), SourceWriter.Text($"w{row}"));
        }

        Multiply(writer, "sum", "w", SourceWriter.Text($"x{chunk}"), isFirst: chunk % runChunks == 0);
        LoadChunk(writer, plan.Layer, chunk, isRagged);
        if (chunk % runChunks == runChunks - 1)
        {
            int run = chunk / runChunks;
            WidenScales(writer, SourceWriter.Text($"packed{run}"));
            AddScaled(writer, "total", "sum");
            LoadScales(writer, plan, run, runChunks, isRagged);
        }
    }

    private static void LoadChunk(SourceWriter writer, KernelPlan layer, int chunk, bool isRagged)
    {
        string words = string.Join(", ", Names(SourceWriter.Text($"word{chunk}"), 4));
        string x = string.Join(", ", Names(SourceWriter.Text($"x{chunk}"), 4));
        string isWord = "isUnit", isX = "isRow";
        if (isRagged)
        {
            if (chunk == 0)
            {
                writer.Line("// Behind the last step weights and x are zero.");
            }

            int last = System.Math.Max(0, layer.Steps - chunk * GpuPlan.ChunkSteps);
            writer.Line($"setp.lt.s32 isStep, step, {last};");
            writer.Line("and.pred isRowStep, isStep, isRow;");
            foreach (string word in Names(SourceWriter.Text($"word{chunk}"), 4))
            {
                writer.Line($"mov.b32 {word}, 0x88888888;");
            }

            foreach (string pair in Names(SourceWriter.Text($"x{chunk}"), 4))
            {
                writer.Line($"mov.b32 {pair}, 0;");
            }

            (isWord, isX) = ("isStep", "isRowStep");
        }
        else
        {
            writer.Line("and.pred isLoaded, isUnit, isRow;");
            isX = "isLoaded";
        }

        writer.Line($"@{isWord} ld.global.nc.v4.b32 {{{words}}}, [wordAddress + {chunk * GpuPlan.ChunkSteps * PanelLayout.StepBytes}];");
        writer.Line($"@{isX} ld.global.nc.v4.b32 {{{x}}}, [xAddress + {chunk * GpuPlan.ChunkSteps * PanelLayout.StepColumns * 2}];");
    }

    private static void LoadScales(SourceWriter writer, GpuPlan plan, int run, int runChunks, bool isRagged)
    {
        GroupOf(writer, plan, "unit", UnitChunks / runChunks, run, runChunks, isRagged);
        writer.Line($"mad.wide.u32 address, group, {PanelLayout.PanelRows * 2}, scaleAddress;");
        writer.Line($"@isUnit ld.global.nc.v2.b32 {{packed{run}0, packed{run}1}}, [address];");
    }

    private static void WriteJoin(SourceWriter writer, GpuPlan plan)
    {
        int outFeatures = plan.Shape.Out;
        writer.Line("// Each thread adds one sum over the warps: sum `warp` of lane `lane`.");
        writer.Line("JOIN:");
        writer.Line("mov.u32 part, parts;");
        writer.Line("mad.lo.u32 temp, warp, 1024, part;");
        writer.Line("mad.lo.u32 temp, lane, 4, temp;");
        for (int i = 0; i < 8; i++)
        {
            writer.Line($"st.shared.f32 [temp + {i * 128}], total{i};");
        }

        writer.Line("bar.sync 0;");
        writer.Line("mad.lo.u32 part, thread, 4, part;");
        writer.Line("ld.shared.f32 value, [part];");
        for (int warp = 1; warp < GpuPlan.DecodeWarps; warp++)
        {
            writer.Line($"ld.shared.f32 offset, [part + {warp * 1024}];");
            writer.Line("add.rn.f32 value, value, offset;");
        }

        writer.Line();
        writer.Line("// It is of output warp / 2 of the quad, and of row 2 t, or 2 t + 1 where the warp is odd.");
        writer.Line("shr.u32 temp, warp, 1;");
        writer.Line("add.u32 output, output, temp;");
        writer.Line("and.b32 temp, warp, 1;");
        writer.Line("mad.lo.u32 temp, t, 2, temp;");
        writer.Line("mov.u32 row, %%ctaid.y;");
        writer.Line($"mad.lo.u32 row, row, {GpuPlan.DecodeRows}, temp;");
        writer.Line("setp.lt.u32 isStored, row, %5;");
        writer.Line($"setp.lt.and.u32 isStored, output, {outFeatures}, isStored;");
        writer.Line("@!isStored bra DONE;");
        writer.Line("and.b32 temp, %6, 2;");
        writer.Line("setp.eq.u32 isBiased, temp, 0;");
        writer.Line("mad.wide.u32 address, output, 4, %2;");
        writer.Line("@isBiased ld.global.nc.f32 offset, [address];");
        writer.Line("@isBiased add.rn.f32 value, value, offset;");
        writer.Line("and.b32 temp, %6, 1;");
        writer.Line("setp.ne.u32 isHalf, temp, 0;");
        writer.Line("cvt.u64.u32 address, output;");
        writer.Line($"mad.wide.u32 address, row, {outFeatures}, address;");
        writer.Line("@isHalf bra HALF;");
        writer.Line("shl.b64 address, address, 2;");
        writer.Line("add.s64 address, address, %4;");
        writer.Line("st.global.f32 [address], value;");
        writer.Line("bra DONE;");
        writer.Line("HALF:");
        writer.Line("shl.b64 address, address, 1;");
        writer.Line("add.s64 address, address, %4;");
        writer.Line("cvt.rn.f16.f32 half0, value;");
        writer.Line("st.global.b16 [address], half0;");
        writer.Line("DONE:");
    }
}
