using Q4Gen;

namespace SnapshotYourKernels;

/// <summary>The program under review: a block of two layers.</summary>
public partial class Mlp
{
    /// <summary>Into the wide space.</summary>
    [Linear4Bit(In = 64, Out = 176, Group = 32)]
    public partial Linear4Bit UpProj { get; }

    /// <summary>And back, with 8-bit activations.</summary>
    [Linear4Bit(In = 176, Out = 64, Group = 32, Bias = true, Precision = Linear4BitPrecision.Int8Activations)]
    public partial Linear4Bit DownProj { get; }
}
