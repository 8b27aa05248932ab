using Q4Gen.Kernels;

namespace Q4Gen.Threading;

internal static class Execution
{
    public static void Run(Linear4BitKernel kernel, in KernelCall call) => kernel.Run(call, 0, kernel.Shape.Panels);
}
