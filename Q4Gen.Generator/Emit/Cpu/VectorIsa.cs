using Q4Gen.Format;

namespace Q4Gen.Generator.Emit.Cpu;

/// <summary>
/// How one instruction set says what every vector kernel is made of. The kernels' structure is the same everywhere;
/// what differs is the width of a vector and how nibbles meet activations.
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

    /// <summary>Members of the kernel class that the kernels call.</summary>
    public virtual void WriteHelpers(SourceWriter writer)
    {
        writer.Line();
        WriteHelper(writer, $"{Words} Load(ref int words, int offset)", $"{Vector}.LoadUnsafe(ref Unsafe.Add(ref words, offset))");
    }

    /// <summary>Members that turn a vector of words into bytes of its even and of its odd nibbles.</summary>
    public void WriteNibbleHelpers(SourceWriter writer)
    {
        string load = $"{Vector}.LoadUnsafe(ref Unsafe.Add(ref words, offset))";
        string mask = $".AsByte() & {Vector}.Create((byte)0x0F)";
        writer.Line();
        writer.Line("/// <summary>The nibbles of columns 0, 2, 4 and 6, a byte each.</summary>");
        WriteHelper(writer, $"{Vector}<byte> Even(ref int words, int offset)", $"\n    {load}{mask}");
        writer.Line();
        writer.Line("/// <summary>The nibbles of columns 1, 3, 5 and 7, a byte each.</summary>");
        WriteHelper(writer, $"{Vector}<byte> Odd(ref int words, int offset)", $"\n    ({load} >>> {PanelLayout.NibbleBits}){mask}");
    }

    /// <summary>A small member that costs no call.</summary>
    public static void WriteHelper(SourceWriter writer, string signature, string expression)
    {
        writer.Line("[MethodImpl(MethodImplOptions.AggressiveInlining)]");
        writer.Line($"private static {signature} =>{(expression[0] == '\n' ? "" : " ")}{expression};");
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
    public static string LoadWords(int offset) => SourceWriter.Text($"Load(ref words, {offset})");

    /// <summary>Scales at an offset from <c>scales</c>.</summary>
    public string LoadScales(string offset) => $"PanelScales.Load{Bits}(ref scales, {offset}, PanelScales.Exact)";

    /// <summary>The letter that marks a part of a panel in names; none where a vector is a whole panel.</summary>
    public string PartName(int part) => Parts == 1 ? "" : ((char)('A' + part)).ToString();

    /// <summary>A <c>ref</c> argument some elements behind a local.</summary>
    public static string At(string local, int offset) => offset == 0 ? $"ref {local}" : $"ref Unsafe.Add(ref {local}, {offset})";
}
