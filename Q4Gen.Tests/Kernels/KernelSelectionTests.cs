using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using Q4Gen.Kernels;

namespace Q4Gen.Tests.Kernels;

/// <summary>Which instruction set a layer is computed with.</summary>
public class KernelSelectionTests
{
    /// <summary>Names the instruction set that a child process with switched-off processor features must choose.</summary>
    internal const string ExpectedVariable = "Q4GEN_TEST_EXPECTED_ISA";

    [Fact]
    public void TheBestOneThatTheProcessorHas()
    {
        KernelIsa expected = Environment.GetEnvironmentVariable(ExpectedVariable) is { Length: > 0 } name
            ? Enum.Parse<KernelIsa>(name)
            : Best();
        foreach (Linear4BitShape shape in Layers.Shapes)
        {
            using Linear4Bit layer = LayerData.Random(shape, seed: 1).CreateLayer();
            bool wholeSteps = shape.Group % 8 == 0 || shape.Group >= shape.In;
            Assert.Equal(wholeSteps ? expected : KernelIsa.Scalar, layer.Kernel.Isa);
        }
    }

    [Fact]
    public void ACloneForAnInstructionSetRunsIt()
    {
        using Linear4Bit layer = LayerData.Random(new Linear4BitShape(64, 64, 64), seed: 1).CreateLayer();
        foreach (KernelIsa isa in Enum.GetValues<KernelIsa>())
        {
            using Linear4Bit? clone = layer.CloneFor(isa);
            Assert.Equal(IsAvailable(isa), clone is not null);
            Assert.Equal(isa, clone?.Kernel.Isa ?? isa);
        }
    }

    [Fact]
    public void TheBestOneForInt8Activations()
    {
        KernelIsa expected = AvxVnni.IsSupported ? KernelIsa.AvxVnni
            : Dp.IsSupported ? KernelIsa.Dp
            : Avx512BW.IsSupported ? KernelIsa.Avx512
            : Avx2.IsSupported ? KernelIsa.Avx2
            : Ssse3.IsSupported || AdvSimd.Arm64.IsSupported ? KernelIsa.Vector128
            : KernelIsa.Scalar;
        using Linear4Bit layer = LayerData.Random(new Linear4BitShape(172, 64, 64), seed: 1).CreateLayer();
        using Linear4Bit int8 = layer.CloneFor(Linear4BitPrecision.Int8Activations);
        Assert.Equal(expected, int8.Kernel.Isa);
    }

    internal static KernelIsa Best() => Enum.GetValues<KernelIsa>().Last(IsAvailable);

    /// <summary>Whether this processor runs exact kernels of an instruction set.</summary>
    internal static bool IsAvailable(KernelIsa isa) => isa switch
    {
        KernelIsa.Scalar => true,
        KernelIsa.Vector128 => Vector128.IsHardwareAccelerated,
        KernelIsa.Avx2 => Avx2.IsSupported && Fma.IsSupported,
        KernelIsa.Avx512 => Avx512F.IsSupported,
        KernelIsa.AvxVnni or KernelIsa.Dp => false,
        _ => throw new ArgumentOutOfRangeException(nameof(isa), isa, null),
    };
}
