namespace Q4Gen.Format;

/// <summary>
/// The constants of panel layout R16K8, the one kernel layout for every processor: rows in panels of 16, columns in
/// steps of 8. For panel p, step s, lane r, one 32-bit word holds the four file bytes of row 16p+r at columns
/// 8s…8s+7, so packing moves whole words and never a nibble. Scales go panel-major, <c>[panel][group][16]</c>, as F16.
/// </summary>
/// <remarks>Compiled into both the runtime, whose packer honours it, and the generator, whose kernels rely on it.</remarks>
internal static class PanelLayout
{
    /// <summary>The layout's identity, written into files that hold packed panels.</summary>
    public const string Id = "R16K8";

    /// <summary>Rows (output features) in a panel.</summary>
    public const int PanelRows = 16;

    /// <summary>Columns (input features) in a step: the nibbles of one 32-bit word.</summary>
    public const int StepColumns = 8;

    /// <summary>Bits of a weight.</summary>
    public const int NibbleBits = 4;

    /// <summary>32-bit words in one step of one panel: one a row.</summary>
    public const int StepWords = PanelRows;

    /// <summary>Bytes in one step of one panel.</summary>
    public const int StepBytes = StepWords * sizeof(uint);

    /// <summary>What a stored nibble is above the value that it stands for: value = nibble − 8.</summary>
    public const int NibbleBias = 8;

    /// <summary>The most columns that kernels sum before they apply a scale, and that share a scale of 8-bit activations.</summary>
    public const int MaxBlockColumns = 256;

    /// <summary>The same in steps.</summary>
    public const int MaxBlockSteps = MaxBlockColumns / StepColumns;

    /// <summary>Corrections behind the columns of a prepared step of x: for its even columns, its odd ones, and all.</summary>
    public const int StepCorrections = 3;

    /// <summary>A word of eight nibbles that all stand for zero; columns and rows beyond the matrix are filled with it.</summary>
    public const uint ZeroWord = 0x88888888u;
}
