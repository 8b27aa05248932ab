namespace Q4Gen.Generator.Emit.Cpu;

/// <summary>
/// Instruction sets without a 16-entry table of floats: a nibble is masked where it lies and converted, which gives
/// nibble · 16ʲ exactly. Activations come divided by 16ʲ, and with a correction for the −8 behind each step. Two
/// instructions a column instead of the three that shifting first would take, none of them a shift.
/// </summary>
internal abstract class MaskedNibbleIsa : FloatIsa
{
    public sealed override bool PreparesActivations => true;

    /// <summary>The call that converts words to floats.</summary>
    protected abstract string Convert(string words);

    public sealed override void WriteHelpers(SourceWriter writer)
    {
        base.WriteHelpers(writer);
        writer.Line();
        writer.Line("// One column, masked where it lies: nibble * 16^column, exactly. The highest nibble, which would be the sign, is");
        writer.Line("// shifted down instead. The column is a constant wherever this is inlined.");
        writer.Line("[MethodImpl(MethodImplOptions.AggressiveInlining)]");
        writer.Line($"private static {Float} Column({Words} words, [ConstantExpected(Max = 7)] int column) =>");
        using (writer.Indent())
        {
            writer.Line($"{Convert($"column == 7 ? words >>> 28 : words & {Vector}.Create(0xF << (4 * column))")};");
        }
        writer.Line();
        writer.Line("// (nibble - 8) * scale, exactly: 4 and 11 significant bits make 15.");
        writer.Line("[MethodImpl(MethodImplOptions.AggressiveInlining)]");
        writer.Line($"private static {Float} Expand({Words} words, [ConstantExpected(Max = 7)] int column, {Float} scale) =>");
        using (writer.Indent())
        {
            writer.Line($"{MultiplyAdd("Column(words, column)", "scale * (column == 7 ? 1f : 1f / (1 << (4 * column)))", "scale * -8f")};");
        }
    }

    public sealed override string Column(string words, int column) => $"Column({words}, {column})";

    public sealed override string ScaledColumn(string words, string scale, int column) => SourceWriter.Text($"Expand({words}, {column}, {scale})");
}
