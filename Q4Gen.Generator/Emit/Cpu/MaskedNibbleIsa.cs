using System.Globalization;

namespace Q4Gen.Generator.Emit.Cpu;

/// <summary>
/// Instruction sets without a 16-entry table of floats: a nibble is masked where it lies and converted, which gives
/// nibble · 16ʲ exactly. Activations come divided by 16ʲ, and with a correction for the −8 behind each step. Two
/// instructions a column instead of the three that shifting first would take, none of them a shift.
/// </summary>
internal abstract class MaskedNibbleIsa : VectorIsa
{
    public sealed override bool PreparesActivations => true;

    /// <summary>The call that converts words to floats.</summary>
    protected abstract string Convert(string words);

    public sealed override void WriteHelpers(SourceWriter writer)
    {
        writer.Line();
        writer.Line("// One column, masked where it lies: nibble * 16^column, exactly. The highest nibble, which would be the sign, is");
        writer.Line("// shifted down instead. The column is a constant wherever this is inlined.");
        writer.Line("[MethodImpl(MethodImplOptions.AggressiveInlining)]");
        writer.Line($"private static {Float} Column({Words} words, [ConstantExpected(Max = 7)] int column) =>");
        using (writer.Indent())
        {
            writer.Line($"{Convert($"column == 7 ? words >>> 28 : words & {Vector}.Create(0xF << (4 * column))")};");
        }
    }

    public sealed override string Column(string words, int column) => $"Column({words}, {column})";

    public sealed override string ScaledColumn(string words, string scale, int column)
    {
        string unit = column is 0 or 7 ? "" : string.Format(CultureInfo.InvariantCulture, " * (1f / (1 << {0}))", 4 * column);
        return MultiplyAdd(Column(words, column), scale + unit, $"{scale} * -8f");
    }
}
