using System.Runtime.Intrinsics.X86;
using Q4Gen.Format;

namespace Q4Gen.Kernels;

/// <summary>Kernels with 8-bit activations that take any shape at run time, for shapes that no attribute named.</summary>
internal sealed class GenericInt8KernelFamily(Linear4BitShape shape)
    : KernelFamily(shape, Linear4BitPrecision.Int8Activations)
{
    /// <inheritdoc/>
    public override Linear4BitKernel? Create(KernelIsa isa)
    {
        bool wholeSteps = Shape.Group % PanelLayout.StepColumns == 0 || Shape.Groups == 1;
        return isa switch
        {
            KernelIsa.Scalar => new GenericInt8ScalarKernel(Shape),
            KernelIsa.Vector128 when wholeSteps && DotProducts.IsSupported => new GenericInt8Vector128Kernel(Shape),
            KernelIsa.Avx2 when wholeSteps && Avx2.IsSupported && Fma.IsSupported => new GenericInt8Avx2Kernel(Shape),
            _ => null,
        };
    }
}
