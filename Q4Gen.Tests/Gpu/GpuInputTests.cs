using System.Runtime.InteropServices;
using ILGPU;
using Q4Gen.Gpu;
using Q4Gen.Gpu.Kernels;
using Q4Gen.Tests.Gpu.Ptx;
using Q4Gen.Tests.Kernels;
using Half = System.Half;

namespace Q4Gen.Tests.Gpu;

/// <summary>
/// Layers with offsets and with an input order on a GPU: on the emulated one against float64, and what they launch beside
/// their kernel as the PTX that ILGPU makes of it.
/// </summary>
[Trait(Emulated.Trait, Emulated.Never)] // An emulated GPU on an emulated processor takes minutes.
public sealed class GpuInputTests : IDisposable
{
    private readonly GpuContext _gpu = GpuContext.CreateEmulated();

    public static TheoryData<bool, bool, GpuElement, GpuElement> Cases()
    {
        var cases = new TheoryData<bool, bool, GpuElement, GpuElement>();
        foreach ((bool affine, bool ordered) in ((bool, bool)[])[(true, false), (false, true), (true, true)])
        {
            foreach (GpuElement x in Enum.GetValues<GpuElement>())
            {
                foreach (GpuElement y in Enum.GetValues<GpuElement>())
                {
                    cases.Add(affine, ordered, x, y);
                }
            }
        }

        return cases;
    }

    public void Dispose() => _gpu.Dispose();

    [Theory]
    [MemberData(nameof(Cases))]
    public void EveryKernelAgreesWithFloat64(bool affine, bool ordered, GpuElement input, GpuElement output)
    {
        // The last one is nobody's: the generic kernel. 300 outputs are more than one thread group's.
        foreach ((Linear4BitShape shape, int rows) in ((Linear4BitShape, int)[])[(new(172, 64, 64), 1), (new(130, 33, 64), 5), (new(10, 300, 4), 2)])
        {
            Check(_gpu, shape, affine, ordered, input, output, rows);
        }
    }

    [Theory]
    [InlineData(GpuElement.Float32)]
    [InlineData(GpuElement.Float16)]
    public void MemoryNeedsNoAlignment(GpuElement element)
    {
        Check(_gpu, new Linear4BitShape(172, 64, 64), affine: true, ordered: true, element, element, rows: 3, shift: 1);
        Check(_gpu, new Linear4BitShape(172, 64, 64), affine: true, ordered: false, element, element, rows: 3, shift: 1);
    }

    /// <summary>What waits in the pool suffices for the second call, so that it can be recorded.</summary>
    [Fact]
    public void ASecondCallTakesNoNewMemory()
    {
        var shape = new Linear4BitShape(172, 64, 64);
        using Linear4Bit layer = Create(shape, affine: true, ordered: true).To(_gpu);
        using GpuTensor x = GpuTensor.From(_gpu, new Half[2 * shape.In], 2, shape.In);
        using GpuTensor y = GpuTensor.Allocate(_gpu, GpuElement.Float16, 2, shape.Out);
        layer.Forward(x, y);
        int waiting = _gpu.DefaultStream.Pool.Waiting;
        Assert.Equal(3, waiting);
        layer.Forward(x, y);
        Assert.Equal(waiting, _gpu.DefaultStream.Pool.Waiting);
    }

    [Fact]
    public void OrdinaryLayersTakeNone()
    {
        var shape = new Linear4BitShape(172, 64, 64);
        using Linear4Bit layer = Create(shape, affine: false, ordered: false).To(_gpu);
        using GpuTensor x = GpuTensor.From(_gpu, new Half[2 * shape.In], 2, shape.In);
        using GpuTensor y = GpuTensor.Allocate(_gpu, GpuElement.Float16, 2, shape.Out);
        layer.Forward(x, y);
        Assert.Equal(0, _gpu.DefaultStream.Pool.Waiting);
    }

    /// <summary>The same text for newer devices, nothing spilled where an assembler is there, and right in the interpreter of PTX.</summary>
    [Theory]
    [InlineData(130, 33, 64)]
    [InlineData(352, 300, 32)]
    [InlineData(10, 3, 100)]
    public void TheirPtxIsRight(int inFeatures, int outFeatures, int group)
    {
        var shape = new Linear4BitShape(inFeatures, outFeatures, group);
        const int Rows = 3;
        using CompiledGpuKernels kernels = CompiledGpuKernels.Compile(new Linear4BitShape(24, 20, 8));
        var numbers = new SimtShape(shape);
        byte[] sizes = MemoryMarshal.AsBytes(new ReadOnlySpan<SimtShape>(in numbers)).ToArray();
        Half[] offsets = AffineTests.Offsets(shape with { Out = (outFeatures + 15) / 16 * 16 }, 71);
        int[] order = InputOrderTests.Order(inFeatures, 72);
        Half[] x = [.. LayerData.RandomInput(Rows * inFeatures, seed: 73).Select(static value => (Half)value)];
        float[] wide = [.. x.Select(static value => (float)value)];
        float[] results = LayerData.RandomInput(Rows * outFeatures, seed: 74);

        Assert.Equal(InputOrderTests.Gathered(wide, order), Run<float>(InputKernels.Gather<float>, Rows * inFeatures, wide, order, inFeatures));
        Assert.Equal(InputOrderTests.Gathered(wide, order), Run<Half>(InputKernels.Gather<ILGPU.Half>, Rows * inFeatures, x, order, inFeatures).Select(static value => (float)value));

        float[] sums = Run<float>(InputKernels.Sum<F32>, Rows * shape.Groups, wide, sizes);
        Assert.Equal(sums, Run<float>(InputKernels.Sum<F16>, Rows * shape.Groups, x, sizes));
        for (int i = 0; i < sums.Length; i++)
        {
            (int row, int g) = Math.DivRem(i, shape.Groups);
            double expected = wide.AsSpan(row * inFeatures + g * group, Math.Min(group, inFeatures - g * group)).ToArray().Sum(static value => (double)value);
            Assert.Equal((float)expected, sums[i], 1e-6f);
        }

        float[] y = Run<float>(InputKernels.AddOffsets<F32>, Rows * outFeatures, results, offsets, sums, sizes);
        Half[] rounded = Run<Half>(InputKernels.AddOffsets<F16>, Rows * outFeatures, results, offsets, sums, sizes);
        Assert.Equal(y.Select(static value => (Half)value), rounded);
        for (int i = 0; i < y.Length; i++)
        {
            (int row, int o) = Math.DivRem(i, outFeatures);
            double expected = results[i];
            for (int g = 0; g < shape.Groups; g++)
            {
                expected += (double)offsets[(o / 16 * shape.Groups + g) * 16 + o % 16] * sums[row * shape.Groups + g];
            }

            Assert.Equal(expected, y[i], 1e-5);
        }

        T[] Run<T>(Delegate kernel, int length, params object[] inputs)
            where T : unmanaged
        {
            string ptx = kernels.Ptx(kernel, 8, InputKernels.Threads);
            Assert.Contains(".target sm_80", ptx, StringComparison.Ordinal);
            Assert.Equal(CompiledGpuKernels.WithoutNumbers(ptx), CompiledGpuKernels.WithoutNumbers(kernels.Ptx(kernel, 9, InputKernels.Threads)));
            if (PtxAssembler.Find() is not null)
            {
                foreach (string target in (string[])["sm_80", "sm_90"])
                {
                    PtxFigures figures = PtxAssembler.Assemble(ptx, target, PtxProgram.Parse(ptx).Entry.Name);
                    Assert.Equal((0, 0, 0), (figures.StackBytes, figures.SpillStoreBytes, figures.SpillLoadBytes));
                }
            }

            var memory = new PtxMemory();
            var arguments = new List<object>();
            for (int i = 0; i < inputs.Length; i++)
            {
                // What is written stands behind all that is read, and before the numbers.
                if (inputs[i] is byte[] or int)
                {
                    arguments.Add(memory.AddUnwrittenView<T>("y", length));
                }

                arguments.Add(inputs[i] switch
                {
                    float[] values => memory.AddView($"input {i}", values, PtxBufferUse.ReadOnly),
                    Half[] values => memory.AddView($"input {i}", values, PtxBufferUse.ReadOnly),
                    int[] values => memory.AddView($"input {i}", values, PtxBufferUse.ReadOnly),
                    _ => inputs[i],
                });
            }

            int groups = kernel.Method.Name == nameof(InputKernels.AddOffsets) ? (outFeatures + InputKernels.Threads - 1) / InputKernels.Threads : 1;
            PtxProgram.Parse(ptx).Run(memory, (Rows, groups, 1), (InputKernels.Threads, 1, 1), 0, [.. arguments]);
            return memory.Read<T>("y");
        }
    }

    private static Linear4Bit Create(Linear4BitShape shape, bool affine, bool ordered)
    {
        LayerData data = LayerData.Random(shape, seed: 75);
        return Linear4Bit.Create(
            shape.In, shape.Out, shape.Group, data.Weight, data.Scales, data.Bias,
            affine ? AffineTests.Offsets(shape, 76) : [], ordered ? InputOrderTests.Order(shape.In, 77) : []);
    }

    /// <summary>A layer on a GPU, with offsets and an order or without, against float64; from addresses that are not aligned where x and y are shifted.</summary>
    internal static void Check(GpuContext gpu, Linear4BitShape shape, bool affine, bool ordered, GpuElement input, GpuElement output, int rows, int shift = 0)
    {
        LayerData data = LayerData.Random(shape, seed: 75);
        Half[] offsets = affine ? AffineTests.Offsets(shape, 76) : [];
        int[] order = ordered ? InputOrderTests.Order(shape.In, 77) : [];
        float[] x = [.. LayerData.RandomInput(rows * shape.In, seed: 78).Select(static value => (float)(Half)value)];
        double[] expected = Linear4BitReference.Forward(shape, data.Weight, data.Scales, data.Bias, x, offsets, order);
        double[] magnitude = AffineTests.Magnitude(
            shape, data, affine ? offsets : new Half[shape.ScaleCount], ordered ? InputOrderTests.Gathered(x, order) : x);
        using Linear4Bit layer = Create(shape, affine, ordered).To(gpu);
        float[] shifted = [.. new float[shift], .. x];
        using GpuTensor memory = input == GpuElement.Float32
            ? GpuTensor.From(gpu, shifted, shifted.Length)
            : GpuTensor.From(gpu, (Half[])[.. shifted.Select(static value => (Half)value)], shifted.Length);
        using GpuTensor flat = memory.Slice(shift, x.Length);
        using GpuTensor xs = flat.Reshape(rows, shape.In);
        using GpuTensor results = GpuTensor.Allocate(gpu, output, rows * shape.Out + shift);
        using GpuTensor flatResults = results.Slice(shift, rows * shape.Out);
        using GpuTensor ys = flatResults.Reshape(rows, shape.Out);
        layer.Forward(xs, ys);
        float[] first = GpuLayerTests.Download(ys);
        Compare(first, "Forward");
        layer.Forward(xs, ys);
        Assert.Equal(first, GpuLayerTests.Download(ys));
        layer.ForwardUnpack(xs, ys);
        Compare(GpuLayerTests.Download(ys), "ForwardUnpack");

        void Compare(float[] y, string what)
        {
            for (int i = 0; i < y.Length; i++)
            {
                // Where y is float16 its spacing as well, for the emulated GPU cuts where a GPU rounds.
                double allowed = 1e-6 * magnitude[i] + (output == GpuElement.Float16 ? Math.Abs(expected[i]) / 1024 + 1e-7 : 0);
                Assert.True(Math.Abs(y[i] - expected[i]) <= allowed, $"{what} of {shape}, {rows} rows, output {i}: {y[i]} instead of {expected[i]}");
            }
        }
    }
}
