namespace Q4Gen.Import.Gguf;

/// <summary>What a GGUF file says of a tensor.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Its type.</param>
/// <param name="Shape">Sizes, outermost first: the file has them the other way round. Empty for a scalar.</param>
/// <param name="Start">The first byte of its data in the file.</param>
/// <param name="ByteLength">Bytes of its data.</param>
public sealed record GgufTensor(string Name, GgufTensorType Type, IReadOnlyList<long> Shape, long Start, long ByteLength)
{
    /// <summary><c>Q4_K [11008, 4096]</c>.</summary>
    public override string ToString() => $"{Type} [{string.Join(", ", Shape)}]";
}
