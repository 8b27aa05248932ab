using Q4Gen.Gpu;
using Q4Gen.Gpu.Kernels;
using Q4Gen.Tests.Gpu.Ptx;
using Q4Gen.Tests.Kernels;

namespace Q4Gen.Tests.Gpu;

/// <summary>
/// The kernels for tensor cores, executed instruction by instruction from the PTX that a GPU would get: results against
/// float64, and an exception where a GPU would race, read what nobody wrote, or leave its memory.
/// </summary>
[Trait(Emulated.Trait, Emulated.Never)] // The compiler takes minutes there, and nothing here depends on the processor.
public sealed class TensorKernelTests : IDisposable
{
    /// <summary>
    /// Odd numbers of panels and outputs; last steps, last chunks and last tiles that are not whole; one scale a row and
    /// groups of 32 to 160 columns; more tiles than stages.
    /// </summary>
    private static readonly Linear4BitShape[] s_shapes =
    [
        new(2, 1, 8), new(64, 48, 64), new(130, 33, 64), new(172, 64, 64), new(256, 96, 32), new(520, 40, 520), new(1500, 81, 96),
        new(352, 132, 160), new(768, 130, 128), new(2048, 16, 256),
    ];

    private readonly CompiledGpuKernels _kernels = CompiledGpuKernels.Compile(s_shapes);

    public void Dispose() => _kernels.Dispose();

    [Fact]
    public void EveryKernelAgreesWithFloat64()
    {
        int seed = 40;
        foreach (Linear4BitShape shape in s_shapes)
        {
            LayerData data = LayerData.Random(shape, ++seed, scales: seed % 3 == 0 ? ScaleKind.Degenerate : ScaleKind.Mixed);
            foreach (TensorKernel kernel in _kernels.Family(shape).TensorKernels)
            {
                foreach (int rows in RowCounts(kernel))
                {
                    Half[] x = [.. LayerData.RandomInput(rows * shape.In, ++seed).Select(static value => (Half)value)];
                    float[] y = Run(data, kernel, x, rows, TensorFlags.None);
                    data.Reference([.. x.Select(static value => (float)value)]).Check(y, $"{kernel.Name}, {rows} rows");
                }
            }
        }
    }

    [Fact]
    public void HalvesAreRoundedAndTheBiasCanBeLeftOut()
    {
        foreach (Linear4BitShape shape in (Linear4BitShape[])[new(64, 48, 64), new(130, 33, 64)])
        {
            LayerData data = LayerData.Random(shape, seed: 81);
            foreach (TensorKernel kernel in _kernels.Family(shape).TensorKernels)
            {
                int rows = kernel.RowsPerGroup - 1;
                Half[] x = [.. LayerData.RandomInput(rows * shape.In, seed: 82).Select(static value => (Half)value)];
                float[] y = Run(data, kernel, x, rows, TensorFlags.None);
                float[] halves = Run(data, kernel, x, rows, TensorFlags.HalfOutput);
                Assert.Equal(y.Select(static value => (float)(Half)value), halves);
                float[] plain = Run(data with { Bias = [] }, kernel, x, rows, TensorFlags.None);
                Assert.Equal(plain, Run(data, kernel, x, rows, TensorFlags.NoBias));
            }
        }
    }

    /// <summary>
    /// With x one at a single column, y is that column of W, exactly: each weight is used once, at its row and column
    /// and with its own scale.
    /// </summary>
    [Fact]
    public void EveryWeightIsUsedOnceInItsPlace()
    {
        foreach (Linear4BitShape shape in (Linear4BitShape[])[new(64, 48, 64), new(130, 33, 64), new(256, 96, 32)])
        {
            LayerData data = LayerData.Random(shape, seed: 83, bias: false);
            double[][] weights = [.. Enumerable.Range(0, shape.Out).Select(data.UnpackRow)];
            foreach (TensorKernel kernel in _kernels.Family(shape).TensorKernels)
            {
                // As many columns at a time as the kernel takes rows.
                for (int first = 0; first < shape.In; first += kernel.RowsPerGroup)
                {
                    int rows = Math.Min(kernel.RowsPerGroup, shape.In - first);
                    var x = new Half[rows * shape.In];
                    for (int row = 0; row < rows; row++)
                    {
                        x[row * shape.In + first + row] = (Half)1;
                    }

                    float[] y = Run(data, kernel, x, rows, TensorFlags.None);
                    for (int i = 0; i < y.Length; i++)
                    {
                        Assert.Equal((float)weights[i % shape.Out][first + i / shape.Out], y[i]);
                    }
                }
            }
        }
    }

    /// <summary>One row's result does not depend on how many others come with it, as far as the same kernel runs.</summary>
    [Fact]
    public void RowsDoNotMeet()
    {
        var shape = new Linear4BitShape(172, 64, 64);
        LayerData data = LayerData.Random(shape, seed: 84);
        foreach (TensorKernel kernel in _kernels.Family(shape).TensorKernels)
        {
            Half[] x = [.. LayerData.RandomInput(kernel.RowsPerGroup * shape.In, seed: 85).Select(static value => (Half)value)];
            float[] all = Run(data, kernel, x, kernel.RowsPerGroup, TensorFlags.None);
            float[] one = Run(data, kernel, x[..shape.In], 1, TensorFlags.None);
            Assert.Equal(all[..shape.Out], one);
            x[^1] = Half.NaN;
            Assert.Equal(all[..^shape.Out], Run(data, kernel, x, kernel.RowsPerGroup, TensorFlags.None)[..^shape.Out]);
        }
    }

    /// <summary>All that a float32 input goes through: planes, a kernel on twice as many rows, and what joins their results.</summary>
    [Theory]
    [InlineData(InputKind.Centred)]
    [InlineData(InputKind.LargeMean)]
    [InlineData(InputKind.Huge)]
    [InlineData(InputKind.Tiny)]
    [InlineData(InputKind.Outliers)]
    [InlineData(InputKind.ManySizes)]
    public void Float32StaysFloat32(InputKind kind)
    {
        const int Rows = 4;
        var shape = new Linear4BitShape(768, 130, 128);
        LayerData data = LayerData.Random(shape, seed: 86);
        float[] x = LayerData.RandomInput(Rows * shape.In, seed: 87, kind);
        using var gpu = GpuContext.CreateEmulated();
        (float[] planes, int[] exponents) = PlanesTests.Split(gpu, x, Rows, shape.In, shape.In);
        TensorKernel kernel = _kernels.Family(shape).TensorKernels[0];
        float[] results = Run(data, kernel, [.. planes.Select(static value => (Half)value)], 2 * Rows, TensorFlags.NoBias);
        float[] y = PlanesTests.Join(gpu, results, exponents, data.Bias, shape.Out);
        data.Reference(x).Check(y, $"{kind} as planes", checkNorm: kind != InputKind.Tiny);
    }

    private static int[] RowCounts(TensorKernel kernel) => kernel.MaxRows switch
    {
        8 => [1, 2, 7, 8],
        64 => [9, 16, 31, 64],
        _ => [65, 130],
    };

    private float[] Run(LayerData data, TensorKernel kernel, Half[] x, int rows, TensorFlags flags)
    {
        Linear4BitShape shape = data.Shape;
        int columns = (shape.In + 7) / 8 * 8;
        var padded = new Half[rows * columns];
        for (int row = 0; row < rows; row++)
        {
            x.AsSpan(row * shape.In, shape.In).CopyTo(padded.AsSpan(row * columns));
        }

        GpuWords gpu = GpuWords.Of(data);
        var memory = new PtxMemory();
        bool isHalf = flags.HasFlag(TensorFlags.HalfOutput);
        long words = memory.Add("words", gpu.Words, PtxBufferUse.ReadOnly);
        long scales = memory.Add("scales", gpu.Scales, PtxBufferUse.ReadOnly);
        long bias = memory.Add("bias", gpu.Bias, PtxBufferUse.ReadOnly);
        long input = memory.Add("x", padded, PtxBufferUse.ReadOnly);
        long output = isHalf ? memory.AddUnwritten<Half>("y", rows * shape.Out) : memory.AddUnwritten<float>("y", rows * shape.Out);
        PtxProgram program = PtxProgram.Parse(_kernels.Ptx(kernel, 8));
        program.Parallelism = Environment.ProcessorCount;
        program.Run(
            memory,
            ((shape.Out + kernel.OutputsPerGroup - 1) / kernel.OutputsPerGroup, (rows + kernel.RowsPerGroup - 1) / kernel.RowsPerGroup, 1),
            (kernel.Threads, 1, 1),
            0,
            words, scales, bias, input, output, rows, (int)flags);
        return isHalf ? [.. memory.Read<Half>("y").Select(static value => (float)value)] : memory.Read<float>("y");
    }
}
