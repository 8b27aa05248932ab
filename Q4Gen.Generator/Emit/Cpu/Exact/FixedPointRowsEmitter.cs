using System.Collections.Generic;
using System.Linq;
using Q4Gen.Format;
using Q4Gen.Generator.Planning;

namespace Q4Gen.Generator.Emit.Cpu;

/// <summary>
/// Prints a kernel for a fixed, small number of rows of x in 24-bit fixed point: nibbles stay bytes, are multiplied with
/// three digits of x, and become floats once a block. Some 20 instructions for 64 weights and a row, where converting
/// each nibble takes 27.
/// </summary>
internal sealed class FixedPointRowsEmitter(SourceWriter writer, KernelPlan plan, IsaPlan isaPlan, FloatIsa isa, RowsPlan rows)
    : PanelRowsEmitter(writer, plan, isaPlan, isa, rows, panels: 1)
{
    /// <summary>So many steps put 16 products of at most 15 · 128 into a lane: 30,720 fit 16 bits.</summary>
    private const int ChainSteps = 4;

    /// <summary>A unit and two corrections in front of each block; the digits, each of even and of odd columns, of a step.</summary>
    private const int HeaderWords = 3, StepWords = 6;

    private static readonly string[] s_digits = ["low", "middle", "high"];

    private readonly FloatIsa _isa = isa;

    /// <summary>Vectors of a panel that are computed together.</summary>
    private int[] PartsTogether => Rows.PartByPart ? [0] : Enumerable.Range(0, _isa.Parts).ToArray();

    /// <summary>The class's constants that the kernels name.</summary>
    public static void WriteConstants(SourceWriter writer, KernelPlan plan)
    {
        writer.Line("// A row of x in fixed point: for each block a unit and two corrections, for each step six words.");
        writer.Line($"private const int BlockSteps = {plan.BlockSteps}, WordsPerRow = {plan.Blocks * HeaderWords} + Steps * {StepWords};");
    }

    /// <summary>Members of the kernel class that the kernels call.</summary>
    public static void WriteHelpers(SourceWriter writer, FloatIsa isa)
    {
        isa.WriteNibbleHelpers(writer);
        writer.Line();
        writer.Line("/// <summary>Adds the products of a step's nibbles with one digit of x: of even columns at an offset from <paramref name=\"x\"/>, of odd ones behind them.</summary>");
        writer.Line("// Four steps put 16 products of at most 15 * 128 into a lane: 30,720 fit 16 bits, nothing saturates.");
        writer.Line("[MethodImpl(MethodImplOptions.AggressiveInlining)]");
        using (writer.Block("private static Vector256<short> Dot(Vector256<short> sum, Vector256<byte> even, Vector256<byte> odd, ref int x, int offset)"))
        {
            writer.Line("var xEven = Vector256.Create(Unsafe.Add(ref x, offset)).AsSByte();");
            writer.Line("var xOdd = Vector256.Create(Unsafe.Add(ref x, offset + 1)).AsSByte();");
            writer.Line("return sum + Avx2.MultiplyAddAdjacent(even, xEven) + Avx2.MultiplyAddAdjacent(odd, xOdd);");
        }

        writer.Line();
        writer.Line("/// <summary>What a row's sums start with: a correction in the block's header.</summary>");
        VectorIsa.WriteHelper(writer, "Vector256<int> Start(ref int header, int correction)", "Vector256.Create(Unsafe.Add(ref header, correction))");
        writer.Line();
        writer.Line("/// <summary>The sums of the lower two digits as one.</summary>");
        VectorIsa.WriteHelper(
            writer,
            "Vector256<int> Widen(Vector256<short> low, Vector256<short> middle)",
            "\n    Avx2.MultiplyAddAdjacent(low, Vector256<short>.One) + Avx2.MultiplyAddAdjacent(middle, Vector256.Create((short)256))");
        writer.Line();
        writer.Line("/// <summary>The sums of the highest digit.</summary>");
        VectorIsa.WriteHelper(writer, "Vector256<int> Widen(Vector256<short> high)", "Avx2.MultiplyAddAdjacent(high, Vector256<short>.One)");
        writer.Line();
        writer.Line("/// <summary>Adds a block's sums times the unit of its x, at <paramref name=\"unit\"/> in its header, and the scale of its weights.</summary>");
        writer.Line("[MethodImpl(MethodImplOptions.AggressiveInlining)]");
        using (writer.Block("private static Vector256<float> Scale(Vector256<float> total, Vector256<int> lows, Vector256<int> highs, Vector256<float> scale, ref int header, int unit)"))
        {
            writer.Line("var sum = MultiplyAdd(Vector256.ConvertToSingle(highs), Vector256.Create(65536f), Vector256.ConvertToSingle(lows));");
            writer.Line("return MultiplyAdd(sum * Vector256.Create(Unsafe.Add(ref header, unit)).AsSingle(), scale, total);");
        }
    }

    public void Write()
    {
        using (WriteMethod("ref int digits, "))
        {
            if (Rows.PartByPart)
            {
                Writer.Line($"// Half a panel at a time: the sums of {Rows.Rows} rows fill the registers.");
                using (Writer.Block($"for (int half = 0; half < WordsPerStep; half += {_isa.Lanes})"))
                {
                    WriteBody();
                }
            }
            else
            {
                WriteBody();
            }
        }
    }

    private void WriteBody()
    {
        string half = Rows.PartByPart ? " + half" : "";
        Writer.Line($"ref int words = ref Unsafe.Add(ref call.Weights, (nint)panel * WordsPerPanel{half});");
        Writer.Line($"ref short scales = ref Unsafe.Add(ref call.Scales, (nint)panel * ScalesPerPanel{half});");
        Writer.Line("ref int x = ref digits;");
        WriteZeros(AllParts("total"));
        WriteBlocks(Plan.Steps);
        Writer.Line();
        if (Rows.PartByPart)
        {
            WriteHalfStores();
        }
        else
        {
            WriteStores();
        }
    }

    /// <inheritdoc/>
    protected override void WriteBlock(string group, int? steps)
    {
        Writer.Line("ref int header = ref x;");
        for (int row = 0; row < Rows.Rows; row++)
        {
            WriteStart("lows", row, correction: 1);
            WriteStart("highs", row, correction: 2);
        }

        Writer.Line($"x = ref Unsafe.Add(ref x, {HeaderWords});");
        if (steps <= ChainSteps)
        {
            WriteChain(StepLoop(steps));
        }
        else if (steps % ChainSteps == 0)
        {
            using (Writer.Block($"for (int chain = 0; chain < {steps / ChainSteps}; chain++)"))
            {
                WriteChain(StepLoop(ChainSteps));
            }
        }
        else
        {
            // Where there is an end, there is a step already.
            string end = steps is null ? "end" : $"{steps}";
            using (Writer.Block(steps is null ? "while (step < end)" : $"for (int step = 0; step < {end};)"))
            {
                Writer.Line($"int endOfChain = Math.Min(step + {ChainSteps}, {end});");
                WriteChain("for (; step < endOfChain; step++)");
            }
        }

        Writer.Line();
        WriteScaling(group);
    }

    private void WriteStart(string name, int row, int correction)
    {
        string[] sums = PartsTogether.Select(part => Name(name, row, part)).ToArray();
        string rest = string.Concat(sums.Skip(1).Select(sum => $", {sum} = {sums[0]}"));
        Writer.Line($"{_isa.Words} {sums[0]} = Start(ref header, {InRow(row, correction)}){rest};");
    }

    /// <summary>A few steps whose products are summed in 16 bits, digit by digit, and then widened.</summary>
    private void WriteChain(string loop)
    {
        for (int row = 0; row < Rows.Rows; row++)
        {
            foreach (string digit in s_digits)
            {
                Writer.Line($"{_isa.Vector}<short> {string.Join(", ", PartsTogether.Select(part => Name(digit, row, part) + " = default"))};");
            }
        }

        using (Writer.Block(loop))
        {
            WritePrefetches();
            foreach (int part in PartsTogether)
            {
                Writer.Line($"var even{Part(part)} = Even(ref words, {part * _isa.Lanes});");
                Writer.Line($"var odd{Part(part)} = Odd(ref words, {part * _isa.Lanes});");
            }

            for (int row = 0; row < Rows.Rows; row++)
            {
                for (int digit = 0; digit < s_digits.Length; digit++)
                {
                    foreach (int part in PartsTogether)
                    {
                        string sum = Name(s_digits[digit], row, part);
                        Writer.Line($"{sum} = Dot({sum}, even{Part(part)}, odd{Part(part)}, ref x, {InRow(row, 2 * digit)});");
                    }
                }
            }

            Writer.Line("words = ref Unsafe.Add(ref words, WordsPerStep);");
            Writer.Line($"x = ref Unsafe.Add(ref x, {StepWords});");
        }

        Writer.Line();
        for (int row = 0; row < Rows.Rows; row++)
        {
            foreach (int part in PartsTogether)
            {
                Writer.Line($"{Name("lows", row, part)} += Widen({Name("low", row, part)}, {Name("middle", row, part)});");
                Writer.Line($"{Name("highs", row, part)} += Widen({Name("high", row, part)});");
            }
        }
    }

    private void WriteScaling(string group)
    {
        foreach (int part in PartsTogether)
        {
            string scale = "scale" + Part(part);
            Writer.Line($"var {scale} = {_isa.LoadScales(ScaleOffset(group, part * _isa.Lanes))};");
            for (int row = 0; row < Rows.Rows; row++)
            {
                string total = Name("total", row, part);
                Writer.Line($"{total} = Scale({total}, {Name("lows", row, part)}, {Name("highs", row, part)}, {scale}, ref header, {InRow(row, 0)});");
            }
        }
    }

    private void WriteHalfStores()
    {
        Writer.Line($"ref float bias = ref Unsafe.Add(ref call.Bias, panel * {PanelLayout.PanelRows} + half);");
        Writer.Line($"ref float y = ref Unsafe.Add(ref call.Y, (nint)row * Out + panel * {PanelLayout.PanelRows} + half);");
        string count = StoredRows(0) is { } stored ? $"{(stored.Contains(" ") ? $"({stored})" : stored)} - half, " : "";
        for (int row = 0; row < Rows.Rows; row++)
        {
            Writer.Line($"PanelStore.AddHalf(ref bias, {VectorIsa.At("y", row * Plan.Shape.Out)}, {count}{Name("total", row, 0)});");
        }
    }

    private IEnumerable<string> AllParts(string prefix) =>
        Enumerable.Range(0, Rows.Rows).SelectMany(row => PartsTogether.Select(part => Name(prefix, row, part)));

    private string Name(string prefix, int row, int part) => prefix + (Rows.Rows == 1 ? "" : $"{row}") + Part(part);

    private string Part(int part) => Rows.PartByPart ? "" : _isa.PartName(part);

    /// <summary>Where a word of a row lies from the same word of the first row on.</summary>
    private static string InRow(int row, int word)
    {
        string rows = row == 1 ? "WordsPerRow" : $"{row} * WordsPerRow";
        return row == 0 ? $"{word}" : word == 0 ? rows : $"{rows} + {word}";
    }
}
