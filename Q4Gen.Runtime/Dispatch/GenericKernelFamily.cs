namespace Q4Gen.Kernels;

/// <summary>Kernels that take any shape at run time, for shapes that no attribute named.</summary>
internal sealed class GenericKernelFamily(Linear4BitShape shape) : KernelFamily(shape)
{
    /// <inheritdoc/>
    public override Linear4BitKernel? Create(KernelIsa isa) => throw new NotImplementedException();
}
