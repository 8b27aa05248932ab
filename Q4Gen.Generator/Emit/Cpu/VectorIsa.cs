using System.Collections.Generic;
using Q4Gen.Format;

namespace Q4Gen.Generator.Emit.Cpu;

/// <summary>
/// How one instruction set says what every vector kernel is made of. The kernels' structure is the same everywhere;
/// what differs is the width of a vector and how a column of nibbles becomes floats.
/// </summary>
internal abstract class VectorIsa
{
    /// <summary>What names carry: <c>avx2</c>.</summary>
    public abstract string Name { get; }

    /// <summary>The member of <c>KernelIsa</c>.</summary>
    public abstract string EnumMember { get; }

    /// <summary>A C# condition that the JIT and NativeAOT fold.</summary>
    public abstract string IsSupported { get; }

    /// <summary>Bits of a vector.</summary>
    public abstract int Bits { get; }

    /// <summary>The class whose static methods the kernels call by their bare names.</summary>
    public abstract string IntrinsicClass { get; }

    /// <summary>Declarations at the start of each kernel of what <see cref="Column"/> names.</summary>
    public virtual IReadOnlyList<string> Locals => [];

    /// <summary>Members of the kernel class that <see cref="Column"/> calls.</summary>
    public virtual void WriteHelpers(SourceWriter writer)
    {
    }

    /// <summary>Floats in a vector.</summary>
    public int Lanes => Bits / 32;

    /// <summary>Vectors in a panel.</summary>
    public int Parts => PanelLayout.PanelRows / Lanes;

    /// <summary>The vector class: <c>Vector256</c>.</summary>
    public string Vector => $"Vector{Bits}";

    /// <summary>A vector of floats.</summary>
    public string Float => $"Vector{Bits}<float>";

    /// <summary>A vector of words.</summary>
    public string Words => $"Vector{Bits}<int>";

    /// <summary>Loads a vector of words at <paramref name="offset"/> from <c>words</c>.</summary>
    public string LoadWords(int offset) => $"{Vector}.LoadUnsafe({At("words", offset)})";

    /// <summary>Column <paramref name="column"/> of the words as floats, as kernels for few rows of x use it.</summary>
    public abstract string Column(string words, int column);

    /// <summary>Column <paramref name="column"/> of the words times <paramref name="scale"/>, exactly.</summary>
    public abstract string ScaledColumn(string words, string scale, int column);

    /// <summary>Whether <see cref="Column"/> leaves a nibble where it is, so that x comes prepared for that.</summary>
    public abstract bool PreparesActivations { get; }

    /// <summary><c>a · b + c</c>.</summary>
    public abstract string MultiplyAdd(string a, string b, string c);

    /// <summary>A float from memory in every lane.</summary>
    public string Broadcast(string reference, int offset) =>
        offset == 0 ? $"{Vector}.Create({reference})" : $"{Vector}.Create(Unsafe.Add(ref {reference}, {offset}))";

    /// <summary>Scales at an offset from <c>scales</c>.</summary>
    public string LoadScales(string offset) => $"PanelScales.Load{Bits}(ref scales, {offset}, PanelScales.Exact)";

    /// <summary>The letter that marks a part of a panel in names; none where a vector is a whole panel.</summary>
    public string PartName(int part) => Parts == 1 ? "" : ((char)('A' + part)).ToString();

    /// <summary>A <c>ref</c> argument some elements behind a local.</summary>
    public static string At(string local, int offset) => offset == 0 ? $"ref {local}" : $"ref Unsafe.Add(ref {local}, {offset})";
}
