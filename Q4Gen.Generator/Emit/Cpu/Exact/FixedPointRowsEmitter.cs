using System.Collections.Generic;
using System.Linq;
using Q4Gen.Format;
using Q4Gen.Generator.Planning;

namespace Q4Gen.Generator.Emit.Cpu;

/// <summary>
/// Prints a kernel for one row of x in 24-bit fixed point: nibbles stay bytes, are multiplied with three digits of x, and
/// become floats once a block. Some 20 instructions for 64 weights, where converting each nibble takes 27.
/// </summary>
internal sealed class FixedPointRowsEmitter(SourceWriter writer, KernelPlan plan, IsaPlan isaPlan, FloatIsa isa, RowsPlan row)
    : PanelRowsEmitter(writer, plan, isaPlan, isa, row)
{
    /// <summary>So many steps put 16 products of at most 15 · 128 into a lane: 30,720 fit 16 bits.</summary>
    private const int ChainSteps = 4;

    /// <summary>A unit and two corrections in front of each block; the digits, each of even and of odd columns, of a step.</summary>
    private const int HeaderWords = 3, StepWords = 6;

    private static readonly string[] s_digits = ["low", "middle", "high"];

    private readonly FloatIsa _isa = isa;

    private IEnumerable<int> Parts => Enumerable.Range(0, _isa.Parts);

    /// <summary>The class's constants that the kernels name.</summary>
    public static void WriteConstants(SourceWriter writer, KernelPlan plan)
    {
        writer.Line("// Steps that share a unit of x in fixed point.");
        writer.Line($"private const int BlockSteps = {plan.BlockSteps};");
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
        writer.Line("/// <summary>Adds a block's sums times the unit of its x and the scale of its weights.</summary>");
        writer.Line("[MethodImpl(MethodImplOptions.AggressiveInlining)]");
        using (writer.Block("private static Vector256<float> Scale(Vector256<float> total, Vector256<int> lows, Vector256<int> highs, Vector256<float> scale, ref int header)"))
        {
            writer.Line("var sum = MultiplyAdd(Vector256.ConvertToSingle(highs), Vector256.Create(65536f), Vector256.ConvertToSingle(lows));");
            writer.Line("return MultiplyAdd(sum * Vector256.Create(header).AsSingle(), scale, total);");
        }
    }

    public void Write()
    {
        using (WriteMethod("ref int x, "))
        {
            WriteWeights();
            WriteZeros(Sums("total"));
            WriteBlocks(Plan.Steps);
            Writer.Line();
            WriteStores();
        }
    }

    /// <inheritdoc/>
    protected override void WriteBlock(string group, int? steps)
    {
        Writer.Line("ref int header = ref x;");
        WriteStart("lows", correction: 1);
        WriteStart("highs", correction: 2);
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

    private void WriteStart(string name, int correction)
    {
        string[] sums = Sums(name).ToArray();
        string rest = string.Concat(sums.Skip(1).Select(sum => $", {sum} = {sums[0]}"));
        Writer.Line($"{_isa.Words} {sums[0]} = Start(ref header, {correction}){rest};");
    }

    /// <summary>A few steps whose products are summed in 16 bits, digit by digit, and then widened.</summary>
    private void WriteChain(string loop)
    {
        foreach (string digit in s_digits)
        {
            Writer.Line($"{_isa.Vector}<short> {string.Join(", ", Sums(digit).Select(static sum => sum + " = default"))};");
        }

        using (Writer.Block(loop))
        {
            WritePrefetches();
            foreach (int part in Parts)
            {
                string name = _isa.PartName(part);
                Writer.Line($"var even{name} = Even(ref words, {part * _isa.Lanes});");
                Writer.Line($"var odd{name} = Odd(ref words, {part * _isa.Lanes});");
            }

            for (int digit = 0; digit < s_digits.Length; digit++)
            {
                foreach (int part in Parts)
                {
                    string name = _isa.PartName(part), sum = s_digits[digit] + name;
                    Writer.Line($"{sum} = Dot({sum}, even{name}, odd{name}, ref x, {2 * digit});");
                }
            }

            Writer.Line("words = ref Unsafe.Add(ref words, WordsPerStep);");
            Writer.Line($"x = ref Unsafe.Add(ref x, {StepWords});");
        }

        Writer.Line();
        foreach (int part in Parts)
        {
            string name = _isa.PartName(part);
            Writer.Line($"lows{name} += Widen(low{name}, middle{name});");
            Writer.Line($"highs{name} += Widen(high{name});");
        }
    }

    private void WriteScaling(string group)
    {
        foreach (int part in Parts)
        {
            string name = _isa.PartName(part);
            Writer.Line($"var scale{name} = {_isa.LoadScales(ScaleOffset(group, part * _isa.Lanes))};");
            Writer.Line($"total{name} = Scale(total{name}, lows{name}, highs{name}, scale{name}, ref header);");
        }
    }
}
