namespace Q4Gen.Import.Gguf;

/// <summary>Types of tensors that the importer takes, with the numbers that GGUF gives them.</summary>
public enum GgufTensorType
{
    /// <summary>32-bit IEEE float.</summary>
    F32 = 0,

    /// <summary>16-bit IEEE float.</summary>
    F16 = 1,

    /// <summary>Blocks of 32: <c>(q − 8) · d</c>, 4 bits.</summary>
    Q4_0 = 2,

    /// <summary>Blocks of 32: <c>q · d + m</c>, 4 bits.</summary>
    Q4_1 = 3,

    /// <summary>Blocks of 32: <c>(q − 16) · d</c>, 5 bits.</summary>
    Q5_0 = 6,

    /// <summary>Blocks of 32: <c>q · d + m</c>, 5 bits.</summary>
    Q5_1 = 7,

    /// <summary>Blocks of 32: <c>q · d</c>, 8 bits.</summary>
    Q8_0 = 8,

    /// <summary>Blocks of 8 × 32: <c>q · d · sc − dmin · m</c>, 4 bits, 6 for sc and m.</summary>
    Q4_K = 12,

    /// <summary>Blocks of 8 × 32: <c>q · d · sc − dmin · m</c>, 5 bits, 6 for sc and m.</summary>
    Q5_K = 13,

    /// <summary>Blocks of 16 × 16: <c>(q − 32) · d · sc</c>, 6 bits, 8 for sc.</summary>
    Q6_K = 14,

    /// <summary>Upper half of a 32-bit IEEE float.</summary>
    BF16 = 30,
}
