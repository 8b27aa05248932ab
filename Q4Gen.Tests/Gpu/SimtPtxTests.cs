using System.Runtime.InteropServices;
using ILGPU;
using Q4Gen.Gpu.Kernels;
using Q4Gen.Tests.Gpu.Ptx;
using Q4Gen.Tests.Kernels;
using Half = System.Half;

namespace Q4Gen.Tests.Gpu;

/// <summary>
/// The kernels in C#, as the PTX that ILGPU makes of them: what runs on a GPU without tensor cores, and around the kernels
/// for tensor cores on one that has them.
/// </summary>
[Trait(Emulated.Trait, Emulated.Never)] // The compiler takes minutes there, and nothing here depends on the processor.
public sealed class SimtPtxTests : IDisposable
{
    private static readonly Linear4BitShape[] s_shapes = [new(130, 33, 64), new(172, 64, 64), new(352, 40, 32)];

    private readonly CompiledGpuKernels _kernels = CompiledGpuKernels.Compile(s_shapes);

    public void Dispose() => _kernels.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    public void GeneratedKernelsAgreeWithFloat64(int rows)
    {
        foreach (Linear4BitShape shape in s_shapes)
        {
            GpuKernelFamily family = _kernels.Family(shape);
            LayerData data = LayerData.Random(shape, seed: 61);
            float[] x = [.. LayerData.RandomInput(rows * shape.In, seed: 62).Select(static value => (float)(Half)value)];
            Half[] halves = [.. x.Select(static value => (Half)value)];
            int rowsPerWarp = rows == 1 ? 1 : GpuKernelFamily.SimtRows;
            float[] y = Run<float, float>(
                rows == 1 ? family.Gemv<F32, F32>() : family.Rows4<F32, F32>(), data, x, rows, rowsPerWarp);
            data.Reference(x).Check(y, $"{shape}, {rows} rows");

            // The same sums, and a GPU rounds to the nearest.
            Half[] rounded = Run<Half, Half>(
                rows == 1 ? family.Gemv<F16, F16>() : family.Rows4<F16, F16>(), data, halves, rows, rowsPerWarp);
            Assert.Equal(y.Select(static value => (Half)value), rounded);
        }
    }

    [Fact]
    public void TheGenericKernelAgreesWithFloat64()
    {
        foreach (Linear4BitShape shape in (Linear4BitShape[])[new(50, 20, 9), .. s_shapes])
        {
            LayerData data = LayerData.Random(shape, seed: 63);
            float[] x = LayerData.RandomInput(2 * shape.In, seed: 64);
            var numbers = new SimtShape(shape);
            float[] y = Run<float, float>(
                GenericSimtKernel.Gemv<F32, F32>, data, x, 2, 1, MemoryMarshal.AsBytes(new ReadOnlySpan<SimtShape>(in numbers)).ToArray());
            data.Reference(x).Check(y, $"{shape}, generic");
        }
    }

    [Fact]
    public void WordsAreSplitInPlace()
    {
        int[] words = [.. Enumerable.Range(0, 256).Select(static i => i * 0x01234567)];
        var memory = new PtxMemory();
        PtxView view = memory.AddView("words", words);
        PtxProgram.Parse(_kernels.Ptx((Action<ArrayView<int>>)SplitWords, 8, threads: 256)).Run(memory, (1, 1, 1), (256, 1, 1), 0, view);
        Assert.Equal(words.Select(SplitNibbles.Split), memory.Read<int>("words"));
    }

    /// <summary>Shared memory and shuffles over the warps of a group; the interpreter throws where one reads too early.</summary>
    [Fact]
    public void PlanesOfARowAreThoseOfTheEmulatedGpu()
    {
        const int Rows = 2, In = 300, Columns = 304;
        float[] x = LayerData.RandomInput(Rows * In, seed: 65, InputKind.ManySizes);
        var memory = new PtxMemory();
        PtxView input = memory.AddView("x", x, PtxBufferUse.ReadOnly);
        PtxView planes = memory.AddUnwrittenView<Half>("planes", 2 * Rows * Columns);
        PtxView exponents = memory.AddUnwrittenView<int>("exponents", Rows);
        PtxProgram.Parse(_kernels.Ptx((Action<ArrayView<float>, ArrayView<ILGPU.Half>, ArrayView<int>, int, int>)Planes.Split, 8, Planes.Threads))
            .Run(memory, (Rows, 1, 1), (Planes.Threads, 1, 1), 0, input, planes, exponents, In, Columns);
        int[] powers = memory.Read<int>("exponents");
        Half[] values = memory.Read<Half>("planes");
        for (int row = 0; row < Rows; row++)
        {
            for (int column = 0; column < In; column++)
            {
                float scaled = (float)(x[row * In + column] * Math.Pow(2, -powers[row]));
                var high = (Half)scaled;
                Assert.Equal(high, values[2 * row * Columns + column]);
                Assert.Equal((Half)((scaled - (float)high) * 2048), values[(2 * row + 1) * Columns + column]);
            }

            Assert.InRange(values.AsSpan(2 * row * Columns, In).ToArray().Max(static value => Math.Abs((float)value)), 16384, 32768);
        }
    }

    private static void SplitWords(ArrayView<int> words) => SplitNibbles.Split(Group.IdxX, words);

    private TY[] Run<TX, TY>(Delegate kernel, LayerData data, TX[] x, int rows, int rowsPerWarp, params object[] more)
        where TX : unmanaged
        where TY : unmanaged
    {
        Linear4BitShape shape = data.Shape;
        GpuWords gpu = GpuWords.Of(data);
        var memory = new PtxMemory();
        object[] arguments =
        [
            memory.AddView("words", gpu.Words, PtxBufferUse.ReadOnly),
            memory.AddView("scales", gpu.Scales, PtxBufferUse.ReadOnly),
            memory.AddView("bias", gpu.Bias, PtxBufferUse.ReadOnly),
            memory.AddView("x", x, PtxBufferUse.ReadOnly),
            memory.AddUnwrittenView<TY>("y", rows * shape.Out),
            rows,
            .. more,
        ];
        PtxProgram.Parse(_kernels.Ptx(kernel, 8))
            .Run(memory, ((shape.Out + 15) / 16, (rows + rowsPerWarp - 1) / rowsPerWarp, 1), (32, 1, 1), 0, arguments);
        return memory.Read<TY>("y");
    }
}
