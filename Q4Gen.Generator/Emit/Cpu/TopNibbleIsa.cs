namespace Q4Gen.Generator.Emit.Cpu;

/// <summary>
/// Instruction sets without a 16-entry table of floats: a nibble is shifted to the top of its word, where converting
/// the word gives (nibble − 8) · 2²⁸ exactly. The scale takes the 2²⁸ back, so the −8 costs no correction term and no
/// cancellation.
/// </summary>
internal abstract class TopNibbleIsa : VectorIsa
{
    public sealed override string ScaleUnit => "TopNibble";

    /// <summary>The call that converts words to floats.</summary>
    protected abstract string Convert(string words);

    public sealed override void WriteHelpers(SourceWriter writer)
    {
        writer.Line();
        writer.Line("// Words whose nibbles have their top bits flipped, which turns nibble - 8 into two's complement.");
        writer.Line("[MethodImpl(MethodImplOptions.AggressiveInlining)]");
        writer.Line($"private static {Words} Load(ref int words) => {Vector}.LoadUnsafe(ref words) ^ {Vector}.Create(unchecked((int)0x88888888));");
        writer.Line();
        writer.Line("// One column: its nibbles, moved to the top of their words and alone there, convert to (nibble - 8) * 2^28, exactly.");
        writer.Line("// The scale takes the 2^28 back. The lowest nibble needs no mask, the highest no shift; the branches fold.");
        writer.Line("[MethodImpl(MethodImplOptions.AggressiveInlining)]");
        using (writer.Block($"private static {Float} Column({Words} words, [ConstantExpected(Max = 7)] int column)"))
        {
            writer.Line($"{Words} shifted = column == 7 ? words : words << (28 - 4 * column);");
            writer.Line($"return {Convert($"column == 0 ? shifted : shifted & {Vector}.Create(unchecked((int)0xF0000000))")};");
        }
    }

    public sealed override string LoadWords(int offset) => $"Load({At("words", offset)})";

    public sealed override string Column(string words, int column) => $"Column({words}, {column})";
}
