using System.Runtime.InteropServices;
using Q4Gen.Gpu;

namespace Q4Gen.Tests.Gpu;

/// <summary>Which GPU is opened, and what is said where there is none.</summary>
public class GpuContextTests
{
    private static readonly GpuDevice[] s_devices =
        [new(0, "Old", 7, 5, 68, 11L << 30), new(1, "Small", 9, 0, 78, 80L << 30), new(2, "Large", 9, 0, 132, 80L << 30)];

    [Fact]
    public void WithoutADriverItSaysWhatItLookedFor()
    {
        Assert.SkipWhen(NativeLibrary.TryLoad(CudaDriver.Library, out _), "This machine has a CUDA driver.");
        var exception = Assert.Throws<GpuUnavailableException>(() => GpuContext.Create());
        Assert.Contains(CudaDriver.Library, exception.Message, StringComparison.Ordinal);
        Assert.Contains("Install the NVIDIA driver", exception.Message, StringComparison.Ordinal);
        Assert.Equal(exception.Message, Assert.Throws<GpuUnavailableException>(GpuContext.Devices).Message);
    }

    [Fact]
    public void TheNewestArchitectureWithMostMultiprocessorsIsBest() => Assert.Equal("Large", GpuContext.Choose(s_devices, null).Name);

    [Fact]
    public void AnIndexNamesADevice() => Assert.Equal("Old", GpuContext.Choose(s_devices, 0).Name);

    [Fact]
    public void AnIndexOfNoDeviceListsThoseThereAre()
    {
        var exception = Assert.Throws<GpuUnavailableException>(() => GpuContext.Choose(s_devices, 3));
        Assert.Equal(
            "There is no CUDA device 3. There are: 0: Old (sm_75, 68 multiprocessors, 11264 MiB); 1: Small (sm_90, 78 multiprocessors, 81920 MiB); 2: Large (sm_90, 132 multiprocessors, 81920 MiB).",
            exception.Message);
    }

    [Fact]
    public void TheEmulatedGpuHasWarpsOf32()
    {
        using var gpu = GpuContext.CreateEmulated();
        Assert.True(gpu.IsEmulated);
        Assert.Equal(32, gpu.Accelerator.WarpSize);
    }

    [Fact]
    public void ADisposedContextTakesNothing()
    {
        var gpu = GpuContext.CreateEmulated();
        gpu.Dispose();
        gpu.Dispose();
        Assert.Throws<ObjectDisposedException>(gpu.CreateStream);
        Assert.Throws<ObjectDisposedException>(() => GpuTensor.Allocate(gpu, GpuElement.Float32, 4));
    }
}
