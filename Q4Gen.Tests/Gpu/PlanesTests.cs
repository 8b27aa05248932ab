using ILGPU;
using ILGPU.Runtime;
using Q4Gen.Gpu;
using Q4Gen.Gpu.Kernels;
using Q4Gen.Tests.Kernels;

namespace Q4Gen.Tests.Gpu;

/// <summary>Float32 as two planes of float16, on the emulated GPU.</summary>
[Trait(Emulated.Trait, Emulated.Never)]
public sealed class PlanesTests : IDisposable
{
    private readonly GpuContext _gpu = GpuContext.CreateEmulated();

    public void Dispose() => _gpu.Dispose();

    /// <summary>Two planes together hold each element within 2⁻²¹ of itself, or 2⁻³⁸ of its row's largest.</summary>
    [Theory]
    [InlineData(InputKind.Centred)]
    [InlineData(InputKind.LargeMean)]
    [InlineData(InputKind.Huge)]
    [InlineData(InputKind.Tiny)]
    [InlineData(InputKind.Sparse)]
    [InlineData(InputKind.Outliers)]
    [InlineData(InputKind.ManySizes)]
    public void PlanesHoldTwentyOneBits(InputKind kind)
    {
        const int Rows = 3, In = 300, Columns = 304;
        float[] x = LayerData.RandomInput(Rows * In, seed: 50, kind);
        (float[] planes, int[] exponents) = Split(x, Rows, In, Columns);
        for (int row = 0; row < Rows; row++)
        {
            double largest = x.AsSpan(row * In, In).ToArray().Max(static value => Math.Abs((double)value));
            for (int column = 0; column < Columns; column++)
            {
                double high = planes[2 * row * Columns + column], low = planes[(2 * row + 1) * Columns + column];
                double value = (high + low / 2048) * Math.Pow(2, exponents[row]);
                double expected = column < In ? x[row * In + column] : 0;
                double tolerance = Math.Abs(expected) * Math.Pow(2, -21) + largest * Math.Pow(2, -38);
                Assert.InRange(value, expected - tolerance, expected + tolerance);
            }
        }
    }

    [Theory]
    [InlineData(0f)]
    [InlineData(float.Epsilon)]
    [InlineData(float.MaxValue)]
    public void RowsOfOneValueKeepIt(float only)
    {
        (float[] planes, int[] exponents) = Split([only, 0, -only, 0], 1, 4, 8);
        double value = (planes[0] + planes[8] / 2048d) * Math.Pow(2, exponents[0]);
        Assert.Equal(only, value, only * 1e-6 + 1e-40);
        Assert.All(planes, static element => Assert.True(float.IsFinite(element)));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void WhatIsNotFiniteStaysSoAndSpoilsNothingElse(float value)
    {
        (float[] planes, _) = Split([1, value, 0.5f, 0], 1, 4, 8);
        Assert.False(float.IsFinite(planes[1]));
        Assert.Equal(planes[0], 2 * planes[2]);
    }

    [Fact]
    public void JoiningAddsPlanesAndBias()
    {
        Assert.Equal([16.5f, 32, 15], Join(_gpu, [1, 2, 3, 2048, 4096, -2048], [3], [0.5f, 0, -1], 3));
        using GpuTensor results = GpuTensor.From(_gpu, (float[])[1, 2, 3], 1, 3);
        using GpuTensor bias = GpuTensor.From(_gpu, (float[])[0.5f, 0, -1], 3);
        using GpuTensor y = GpuTensor.Allocate(_gpu, GpuElement.Float32, 3);
        var copy = _gpu.Accelerator.LoadKernel<ArrayView<float>, ArrayView<float>, ArrayView<F32>, int>(Planes.Copy);
        copy(_gpu.DefaultStream.Stream, (1, Planes.Threads), results.View<float>(), bias.View<float>(), y.View<F32>(), 3);
        Assert.Equal([1.5f, 2, 2], GpuLayerTests.Download(y));
    }

    [Fact]
    public void PaddingKeepsRows()
    {
        using GpuTensor x = GpuTensor.From(_gpu, (System.Half[])[(System.Half)1, (System.Half)2, (System.Half)3, (System.Half)4], 2, 2);
        using GpuTensor padded = GpuTensor.Allocate(_gpu, GpuElement.Float16, 2, 8);
        var pad = _gpu.Accelerator.LoadKernel<ArrayView<ILGPU.Half>, ArrayView<ILGPU.Half>, int, int>(Planes.Pad);
        pad(_gpu.DefaultStream.Stream, (2, Planes.Threads), x.View<ILGPU.Half>(), padded.View<ILGPU.Half>(), 2, 8);
        Assert.Equal([1, 2, 0, 0, 0, 0, 0, 0, 3, 4, 0, 0, 0, 0, 0, 0], GpuLayerTests.Download(padded));
    }

    /// <summary>The planes of some rows and the exponents that go with them.</summary>
    internal static (float[] Planes, int[] Exponents) Split(GpuContext gpu, float[] x, int rows, int inFeatures, int columns)
    {
        using GpuTensor xs = GpuTensor.From(gpu, x, rows, inFeatures);
        using GpuTensor planes = GpuTensor.Allocate(gpu, GpuElement.Float16, 2 * rows, columns);
        using MemoryBuffer1D<int, Stride1D.Dense> exponents = gpu.Accelerator.Allocate1D<int>(rows);
        var split = gpu.Accelerator.LoadKernel<ArrayView<float>, ArrayView<ILGPU.Half>, ArrayView<int>, int, int>(Planes.Split);
        split(gpu.DefaultStream.Stream, (rows, Planes.Threads), xs.View<float>(), planes.View<ILGPU.Half>(), exponents.View, inFeatures, columns);
        gpu.DefaultStream.Synchronize();
        return (GpuLayerTests.Download(planes), exponents.GetAsArray1D());
    }

    /// <summary>The results of planes made one.</summary>
    internal static float[] Join(GpuContext gpu, float[] results, int[] exponents, float[] bias, int outFeatures)
    {
        using GpuTensor sums = GpuTensor.From(gpu, results, exponents.Length * 2, outFeatures);
        using GpuTensor biases = GpuTensor.From(gpu, bias, bias.Length);
        using GpuTensor y = GpuTensor.Allocate(gpu, GpuElement.Float32, exponents.Length, outFeatures);
        using MemoryBuffer1D<int, Stride1D.Dense> powers = gpu.Accelerator.Allocate1D(exponents);
        var join = gpu.Accelerator.LoadKernel<ArrayView<float>, ArrayView<int>, ArrayView<float>, ArrayView<F32>, int>(Planes.Join);
        join(gpu.DefaultStream.Stream, (exponents.Length, Planes.Threads), sums.View<float>(), powers.View, biases.View<float>(), y.View<F32>(), outFeatures);
        return GpuLayerTests.Download(y);
    }

    private (float[] Planes, int[] Exponents) Split(float[] x, int rows, int inFeatures, int columns) => Split(_gpu, x, rows, inFeatures, columns);
}
