using Q4Gen.Gpu;

namespace Q4Gen.Tests.Gpu;

/// <summary>Tensors in a GPU's memory, on the emulated one.</summary>
public sealed class GpuTensorTests : IDisposable
{
    private readonly GpuContext _gpu = GpuContext.CreateEmulated();

    public void Dispose() => _gpu.Dispose();

    [Fact]
    public void WhatGoesUpComesDown()
    {
        float[] values = [1, 2, 3, 4, 5, 6];
        using GpuTensor tensor = GpuTensor.From(_gpu, values, 2, 3);
        var copy = new float[6];
        tensor.Download(copy);
        Assert.Equal(values, copy);
        Assert.Equal(24, tensor.Bytes);
        Assert.Equal("Float32[2, 3] on the emulated GPU", tensor.ToString());
    }

    [Fact]
    public void HalvesToo()
    {
        Half[] values = [(Half)1.5f, (Half)(-2), Half.Epsilon];
        using GpuTensor tensor = GpuTensor.From(_gpu, values, 3);
        var copy = new Half[3];
        tensor.Download(copy);
        Assert.Equal(values, copy);
        Assert.Equal(6, tensor.Bytes);
    }

    [Fact]
    public async Task Asynchronously()
    {
        float[] values = [.. Enumerable.Range(0, 1000).Select(static i => (float)i)];
        using GpuTensor tensor = GpuTensor.Allocate(_gpu, GpuElement.Float32, 1000);
        await tensor.UploadAsync(values);
        var copy = new float[1000];
        await tensor.DownloadAsync(copy);
        Assert.Equal(values, copy);
    }

    [Fact]
    public void SlicesShareMemoryAndOutliveWhatTheyComeFrom()
    {
        GpuTensor whole = GpuTensor.From(_gpu, [1f, 2, 3, 4, 5, 6], 3, 2);
        using GpuTensor rows = whole.Slice(1, 2);
        using GpuTensor flat = rows.Reshape(4);
        whole.Upload([1f, 2, 30, 40, 50, 60]);
        whole.Dispose();
        using GpuTensor other = GpuTensor.From(_gpu, [9f, 9, 9, 9, 9, 9], 6);
        var copy = new float[4];
        flat.Download(copy);
        Assert.Equal([30f, 40, 50, 60], copy);
        Assert.Equal([2, 2], rows.Shape.ToArray());
    }

    [Fact]
    public void ReleasedMemoryIsUsedAgain()
    {
        GpuTensor first = GpuTensor.Allocate(_gpu, GpuElement.Float32, 1000);
        nint address = first.Address;
        first.Dispose();
        first.Dispose();
        using GpuTensor second = GpuTensor.Allocate(_gpu, GpuElement.Float16, 2000);
        Assert.Equal(address, second.Address);
        using GpuTensor third = GpuTensor.Allocate(_gpu, GpuElement.Float16, 2000);
        Assert.NotEqual(address, third.Address);
    }

    [Fact]
    public void StreamsDoNotShareReleasedMemory()
    {
        using GpuStream stream = _gpu.CreateStream();
        GpuTensor first = GpuTensor.Allocate(_gpu, GpuElement.Float32, 1000);
        nint address = first.Address;
        first.Dispose();
        using GpuTensor second = GpuTensor.Allocate(stream, GpuElement.Float32, 1000);
        Assert.NotEqual(address, second.Address);
    }

    [Theory]
    [InlineData(1, 256)]
    [InlineData(257, 512)]
    [InlineData(1 << 20, 1 << 20)]
    [InlineData((1 << 20) + 1, 2 << 20)]
    [InlineData((5 << 20) - 1, 5 << 20)]
    public void SizesOfThePool(long bytes, long expected) => Assert.Equal(expected, GpuPool.SizeOf(bytes));

    [Fact]
    public void WhatIsWrongIsSaid()
    {
        using GpuTensor tensor = GpuTensor.From(_gpu, [1f, 2, 3, 4], 2, 2);
        Assert.Equal(
            "Float32[2, 2] on the emulated GPU holds 4 elements of Float32; these are 3 of Float32.",
            Assert.Throws<ArgumentException>(() => tensor.Upload([1f, 2, 3])).Message);
        Assert.Equal(
            "Float32[2, 2] on the emulated GPU holds 4 elements of Float32; these are 4 of Float16.",
            Assert.Throws<ArgumentException>(() => tensor.Download(new Half[4])).Message);
        Assert.Contains("cannot be reshaped to [5]", Assert.Throws<ArgumentException>(() => tensor.Reshape(5)).Message, StringComparison.Ordinal);
        Assert.Contains("has 2 elements; 2 from 1 on", Assert.Throws<ArgumentOutOfRangeException>(() => tensor.Slice(1, 2)).Message, StringComparison.Ordinal);
        Assert.Contains("these are [2, 0]", Assert.Throws<ArgumentException>(() => GpuTensor.Allocate(_gpu, GpuElement.Float32, 2, 0)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => GpuTensor.From(_gpu, [1f, 2, 3], 2, 2));
        tensor.Dispose();
        Assert.Throws<ObjectDisposedException>(() => tensor.Upload([1f, 2, 3, 4]));
        Assert.Throws<ObjectDisposedException>(() => tensor.Slice(0, 1));
        Assert.Throws<ObjectDisposedException>(() => tensor.View<float>());
    }

    [Fact]
    public void ManyThreadsAtOnce()
    {
        Parallel.For(0, 200, i =>
        {
            float[] values = [.. Enumerable.Range(i, 64 + i).Select(static v => (float)v)];
            using GpuTensor tensor = GpuTensor.From(_gpu, values, values.Length);
            using GpuTensor half = tensor.Slice(0, values.Length / 2);
            var copy = new float[values.Length / 2];
            half.Download(copy);
            Assert.Equal(values[..copy.Length], copy);
        });
    }

    [Fact]
    public void ATensorMayOutliveItsContext()
    {
        var gpu = GpuContext.CreateEmulated();
        GpuTensor tensor = GpuTensor.From(gpu, [1f], 1);
        gpu.Dispose();
        tensor.Dispose();
    }
}
