using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Q4Gen.Format;

namespace Q4Gen.Kernels;

/// <summary>Kernels that take any shape at run time, for shapes that no attribute named.</summary>
internal sealed class GenericKernelFamily(Linear4BitShape shape) : KernelFamily(shape)
{
    /// <inheritdoc/>
    public override Linear4BitKernel? Create(KernelIsa isa)
    {
        bool wholeSteps = Shape.Group % PanelLayout.StepColumns == 0 || Shape.Groups == 1;
        return isa switch
        {
            KernelIsa.Scalar => new GenericScalarKernel(Shape),
            KernelIsa.Vector128 when wholeSteps && Vector128.IsHardwareAccelerated => new GenericVector128Kernel(Shape),
            KernelIsa.Avx2 when wholeSteps && Avx2.IsSupported && Fma.IsSupported => new GenericAvx2Kernel(Shape),
            _ => null,
        };
    }
}
