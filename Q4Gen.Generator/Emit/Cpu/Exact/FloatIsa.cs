using System.Collections.Generic;

namespace Q4Gen.Generator.Emit.Cpu;

/// <summary>An instruction set of exact kernels: how a column of nibbles becomes floats and is multiplied.</summary>
internal abstract class FloatIsa : VectorIsa
{
    /// <summary>The class whose static methods the kernels call by their bare names.</summary>
    public abstract string IntrinsicClass { get; }

    /// <summary>Declarations at the start of each kernel of what <see cref="Column"/> names.</summary>
    public virtual IReadOnlyList<string> Locals => [];

    /// <summary>Column <paramref name="column"/> of the words as floats, as kernels for few rows of x use it.</summary>
    public abstract string Column(string words, int column);

    /// <summary>Column <paramref name="column"/> of the words times <paramref name="scale"/>, exactly.</summary>
    public abstract string ScaledColumn(string words, string scale, int column);

    /// <summary>Whether <see cref="Column"/> leaves a nibble where it is, so that x comes prepared for that.</summary>
    public abstract bool PreparesActivations { get; }

    /// <summary><c>a · b + c</c>.</summary>
    public abstract string MultiplyAdd(string a, string b, string c);

    /// <summary>A float of x in every lane.</summary>
    public static string Broadcast(int offset) => SourceWriter.Text($"Broadcast(ref x, {offset})");

    /// <inheritdoc/>
    public override void WriteHelpers(SourceWriter writer)
    {
        base.WriteHelpers(writer);
        writer.Line();
        WriteHelper(writer, $"{Float} Broadcast(ref float x, int offset)", $"{Vector}.Create(Unsafe.Add(ref x, offset))");
    }
}
