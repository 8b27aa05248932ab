using System.Collections.Generic;

namespace Q4Gen.Generator.Emit.Cpu;

/// <summary>AVX-512 F: one vector is a whole panel, and one permute looks sixteen nibbles up.</summary>
internal sealed class Avx512Isa : FloatIsa
{
    public override string Name => "avx512";

    public override string EnumMember => "Avx512";

    public override string IsSupported => "Avx512F.IsSupported";

    public override string IntrinsicClass => "System.Runtime.Intrinsics.X86.Avx512F";

    public override int Bits => 512;

    public override bool PreparesActivations => false;

    public override IReadOnlyList<string> Locals { get; } =
    [
        "// What nibbles stand for. vpermps reads only the low four bits of each index, so a shifted word is an index as it",
        "// is, without a mask: dequantising is exact and one instruction.",
        "Vector512<float> values = Vector512.Create(-8f, -7f, -6f, -5f, -4f, -3f, -2f, -1f, 0f, 1f, 2f, 3f, 4f, 5f, 6f, 7f);",
    ];

    public override string Column(string words, int column) => SourceWriter.Text($"Column(values, {words}, {column})");

    public override string ScaledColumn(string words, string scale, int column) => $"({Column(words, column)} * {scale})";

    public override string MultiplyAdd(string a, string b, string c) => $"FusedMultiplyAdd({a}, {b}, {c})";

    public override void WriteHelpers(SourceWriter writer)
    {
        base.WriteHelpers(writer);
        writer.Line();
        writer.Line("// The column is a constant wherever this is inlined.");
        WriteHelper(writer, $"{Float} Column({Float} values, {Words} words, int column)", "PermuteVar16x32(values, column == 0 ? words : words >>> (4 * column))");
    }
}
