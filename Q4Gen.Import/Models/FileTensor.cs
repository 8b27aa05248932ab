namespace Q4Gen.Import;

/// <summary>A tensor as a model's file has it, before anything is converted.</summary>
/// <param name="Name">Its name in the file.</param>
/// <param name="Type">What the format calls its elements, such as <c>F16</c> or <c>Q4_K</c>.</param>
/// <param name="Shape">Sizes, outermost first.</param>
/// <param name="ByteLength">Bytes in the file.</param>
public sealed record FileTensor(string Name, string Type, IReadOnlyList<long> Shape, long ByteLength);
