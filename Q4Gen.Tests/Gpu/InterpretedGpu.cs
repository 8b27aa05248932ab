using Q4Gen.Gpu;
using Q4Gen.Tests.Gpu.Ptx;

namespace Q4Gen.Tests.Gpu;

/// <summary>A GPU as programs without ILGPU open it, on the driver that interprets PTX.</summary>
internal static class InterpretedGpu
{
    public static GpuContext Open(int major = 9, int minor = 0)
    {
        var device = new GpuDevice(0, "Interpreter", major, minor, 1, InterpretedDriver.MostBytes);
        return new GpuContext(CudaBackend.Open(new CudaApi(InterpretedDriver.Export), device), "the interpreter of PTX");
    }
}
