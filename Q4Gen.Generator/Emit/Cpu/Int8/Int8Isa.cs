using System.Collections.Generic;

namespace Q4Gen.Generator.Emit.Cpu;

/// <summary>An instruction set of kernels with 8-bit activations: how four nibbles and four bytes become a sum.</summary>
internal abstract class Int8Isa : VectorIsa
{
    /// <summary>The namespace of its intrinsics; empty where it needs none.</summary>
    public abstract string IntrinsicNamespace { get; }

    /// <summary>Why no sum overflows, as a comment.</summary>
    protected abstract IEnumerable<string> Why { get; }

    /// <summary>
    /// The expression for <c>sum</c> plus the products of the nibbles in <c>even</c> and <c>odd</c> with the bytes in
    /// <c>xEven</c> and <c>xOdd</c>, four of each a lane.
    /// </summary>
    protected abstract string DotExpression { get; }

    public sealed override void WriteHelpers(SourceWriter writer)
    {
        WriteNibbleHelpers(writer);
        writer.Line();
        writer.Line("/// <summary>Adds the products of a step's nibbles with a row's even bytes, at an offset from <paramref name=\"x\"/>, and its odd ones behind them.</summary>");
        foreach (string line in Why)
        {
            writer.Line("// " + line);
        }

        writer.Line("[MethodImpl(MethodImplOptions.AggressiveInlining)]");
        using (writer.Block($"private static {Words} Dot({Words} sum, {Vector}<byte> even, {Vector}<byte> odd, ref int x, int offset)"))
        {
            writer.Line($"var xEven = {Vector}.Create(Unsafe.Add(ref x, offset)).AsSByte();");
            writer.Line($"var xOdd = {Vector}.Create(Unsafe.Add(ref x, offset + 1)).AsSByte();");
            writer.Line($"return {DotExpression};");
        }

        writer.Line();
        writer.Line("/// <summary>What a row's sums start with: its correction, in the block's header behind the scales of x.</summary>");
        WriteHelper(writer, $"{Words} Start(ref int header, int correction)", $"{Vector}.Create(Unsafe.Add(ref header, correction))");
        writer.Line();
        writer.Line("/// <summary>Adds a block's integer sum times the scale of its weights and the scale of its x, at <paramref name=\"unit\"/> in its header.</summary>");
        WriteHelper(
            writer,
            $"{Float} Scale({Float} total, {Words} sum, {Float} scale, ref int header, int unit)",
            $"\n    {Vector}.FusedMultiplyAdd({Vector}.ConvertToSingle(sum), scale * {Vector}.Create(Unsafe.Add(ref header, unit)).AsSingle(), total)");
    }
}
