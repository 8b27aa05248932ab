using System.Collections.Generic;
using System.Linq;
using Q4Gen.Generator.Planning;

namespace Q4Gen.Generator.Emit.Gpu;

/// <summary>
/// What the bodies of the kernels for tensor cores have in common: the instructions that make fragments of words, and
/// multiply them. PTX ISA, "Matrix Fragments for mma.m16n8k16".
/// </summary>
internal static class TensorText
{
    /// <summary>
    /// What both kernels' headers say about fragments. A word holds eight columns of one output, so a thread with
    /// t = lane % 4 supplies the columns of every fourth step; which columns a fragment calls its k-th does not
    /// matter, as long as weights and x agree.
    /// </summary>
    public static readonly string[] FragmentStory =
    [
        "mma.m16n8k16 multiplies 16 outputs x 16 columns with 16 columns x 8 rows of x. Thread g = lane / 4, t = lane % 4 holds:",
        "  weights  16 bytes, one step (8 columns) of 4 outputs: those of quad g % 4 in panel g / 4 of the pair, step t of four;",
        "           outputs 0 and 1 are rows g and g + 8 of one fragment, outputs 2 and 3 of another; columns 0-3 and 4-7 are",
        "           its four columns in the first and the second of two multiplications",
        "  x        16 bytes, the same step of row g",
        "  sums     4 outputs x rows 2 t and 2 t + 1",
        "A weight comes out of its word by one lop3: 0x6400 | nibble is 1024 + nibble in float16, or 1024 + 16 * nibble where the",
        "nibble stands four bits higher; both minus what is too much are exact. Products are exact in float32, as are scales.",
    ];

    /// <summary>Declares registers, a line for each type and purpose.</summary>
    public static void Declare(SourceWriter writer, string type, IEnumerable<string> names)
    {
        const int PerLine = 16;
        string[] all = names.ToArray();
        for (int first = 0; first < all.Length; first += PerLine)
        {
            writer.Line($".reg .{type} {string.Join(", ", all.Skip(first).Take(PerLine))};");
        }
    }

    /// <summary>The constants of <see cref="Dequantise"/>.</summary>
    public static void Constants(SourceWriter writer)
    {
        writer.Line(".reg .b32 magic, bias1032, sixteenth, minus72;");
        writer.Line("mov.b32 magic, 0x64006400;      // 1024, twice");
        writer.Line("mov.b32 bias1032, 0x64086408;   // 1024 + 8");
        writer.Line("mov.b32 sixteenth, 0x2C002C00;  // 1 / 16");
        writer.Line("mov.b32 minus72, 0xD480D480;    // -(1024 / 16 + 8)");
    }

    /// <summary>The eight weights of a word as four pairs of float16; the word is lost.</summary>
    public static void Dequantise(SourceWriter writer, string word, string fragment)
    {
        writer.Line($"lop3.b32 {fragment}0, {word}, 0x000F000F, magic, 0xEA;");
        writer.Line($"lop3.b32 {fragment}1, {word}, 0x00F000F0, magic, 0xEA;");
        writer.Line($"shr.u32 {word}, {word}, 8;");
        writer.Line($"lop3.b32 {fragment}2, {word}, 0x000F000F, magic, 0xEA;");
        writer.Line($"lop3.b32 {fragment}3, {word}, 0x00F000F0, magic, 0xEA;");
        writer.Line($"sub.rn.f16x2 {fragment}0, {fragment}0, bias1032;");
        writer.Line($"fma.rn.f16x2 {fragment}1, {fragment}1, sixteenth, minus72;");
        writer.Line($"sub.rn.f16x2 {fragment}2, {fragment}2, bias1032;");
        writer.Line($"fma.rn.f16x2 {fragment}3, {fragment}3, sixteenth, minus72;");
    }

    /// <summary>Four multiplications: two fragments of outputs, two halves of each step's columns.</summary>
    /// <param name="writer">Where to.</param>
    /// <param name="sums">Prefix of eight sums.</param>
    /// <param name="fragments">Prefix of the weights: then output 0 … 3 and pair 0 … 3.</param>
    /// <param name="x">Prefix of four pairs of x.</param>
    /// <param name="isFirst">Whether the sums start here.</param>
    public static void Multiply(SourceWriter writer, string sums, string fragments, string x, bool isFirst)
    {
        for (int half = 0; half < 2; half++)
        {
            for (int fragment = 0; fragment < 2; fragment++)
            {
                int low = 2 * fragment, high = low + 1, first = 2 * half, second = first + 1;
                string results = string.Join(", ", Enumerable.Range(4 * fragment, 4).Select(i => SourceWriter.Text($"{sums}{i}")));
                string start = isFirst && half == 0 ? "zero, zero, zero, zero" : results;
                writer.Line("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
                    + $"{{{results}}}, {{{fragments}{low}{first}, {fragments}{high}{first}, {fragments}{low}{second}, {fragments}{high}{second}}}, "
                    + $"{{{x}{first}, {x}{second}}}, {{{start}}};");
            }
        }
    }

    /// <summary>The scales of four outputs as float32, from two registers of two.</summary>
    public static void WidenScales(SourceWriter writer, string scales)
    {
        writer.Line($"mov.b32 {{half0, half1}}, {scales}0;");
        writer.Line($"mov.b32 {{half2, half3}}, {scales}1;");
        for (int i = 0; i < 4; i++)
        {
            writer.Line(SourceWriter.Text($"cvt.f32.f16 scale{i}, half{i};"));
        }
    }

    /// <summary>Eight scaled sums added to the totals.</summary>
    public static void AddScaled(SourceWriter writer, string totals, string sums)
    {
        for (int i = 0; i < 8; i++)
        {
            writer.Line(SourceWriter.Text($"fma.rn.f32 {totals}{i}, {sums}{i}, scale{i / 2}, {totals}{i};"));
        }
    }

    /// <summary>Names from a prefix and numbers.</summary>
    public static IEnumerable<string> Names(string prefix, int count) => Enumerable.Range(0, count).Select(i => SourceWriter.Text($"{prefix}{i}"));

    /// <summary>The names of the weights of a warp's fragments: output 0 … 3, then pair 0 … 3.</summary>
    public static IEnumerable<string> FragmentNames(string prefix) => Names(prefix, 4).SelectMany(row => Names(row, 4));

    /// <summary>The group whose scales are those of a run of chunks.</summary>
    /// <param name="writer">Where to.</param>
    /// <param name="plan">The plan.</param>
    /// <param name="unit">The register that counts what has <paramref name="runs"/> runs; the group goes to the register <c>group</c>.</param>
    /// <param name="runs">Runs of a unit.</param>
    /// <param name="run">Which of them.</param>
    /// <param name="runChunks">Chunks of a run.</param>
    /// <param name="isRagged">Whether runs may lie behind the last group.</param>
    public static void GroupOf(SourceWriter writer, GpuPlan plan, string unit, int runs, int run, int runChunks, bool isRagged)
    {
        KernelPlan layer = plan.Layer;
        if (layer.Groups == 1)
        {
            writer.Line("mov.u32 group, 0;");
            return;
        }

        string source = unit;
        if (runs > 1)
        {
            writer.Line(SourceWriter.Text($"mad.lo.u32 group, {unit}, {runs}, {run};"));
            source = "group";
        }

        int runsPerGroup = layer.GroupSteps / (runChunks * GpuPlan.ChunkSteps);
        if (runsPerGroup > 1)
        {
            writer.Line(SourceWriter.Text($"div.u32 group, {source}, {runsPerGroup};"));
            source = "group";
        }

        if (isRagged)
        {
            writer.Line(SourceWriter.Text($"min.u32 group, {source}, {layer.Groups - 1};"));
        }
        else if (source != "group")
        {
            writer.Line($"mov.u32 group, {source};");
        }
    }
}
