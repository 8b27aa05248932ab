using Q4Gen.Gpu;
using Q4Gen.Tests.Kernels;
using Q4Gen.Tests.Runtime;

namespace Q4Gen.Tests.Gpu;

/// <summary>
/// Layers on the emulated GPU: the SIMT kernels, which specify all others, against float64, and where input, output and
/// weights may be.
/// </summary>
[Trait(Emulated.Trait, Emulated.Never)] // An emulated GPU on an emulated processor takes minutes.
public sealed class GpuLayerTests : IDisposable
{
    /// <summary>The emulated GPU computes about a million products a second.</summary>
    private const long MostProducts = 300_000;

    private readonly GpuContext _gpu = GpuContext.CreateEmulated();

    public static TheoryData<Linear4BitShape> SmallShapes =>
        [.. Layers.Shapes.Concat(Layers.Int8Shapes).Distinct().Where(static s => (long)s.In * s.Out <= MostProducts)];

    /// <summary>Shapes that nobody annotated: the generic kernel.</summary>
    public static TheoryData<Linear4BitShape> UnknownShapes => [.. Cases.Take(Cases.Shape, 6, seed: 7).Distinct()];

    public void Dispose() => _gpu.Dispose();

    [Theory]
    [MemberData(nameof(SmallShapes))]
    public void GeneratedKernelsAgreeWithFloat64(Linear4BitShape shape)
    {
        LayerData data = LayerData.Random(shape, seed: 11);
        using Linear4Bit layer = data.CreateLayer().To(_gpu);
        bool isGenerated = shape.Group % 8 == 0 || shape.Group >= shape.In;
        Assert.Equal(isGenerated ? $"Linear4Bit_{shape.In}x{shape.Out}_g{shape.Group}_gpu, SIMT" : "the generic GPU kernel, SIMT", layer.GpuKernel(_gpu));
        Check(data, layer, rows: 1);
        if ((long)shape.In * shape.Out * 6 <= MostProducts)
        {
            Check(data, layer, rows: 6);
        }
    }

    [Theory]
    [MemberData(nameof(UnknownShapes))]
    public void TheGenericKernelAgreesWithFloat64(Linear4BitShape shape)
    {
        LayerData data = LayerData.Random(shape, seed: 12);
        using Linear4Bit layer = data.CreateLayer().To(_gpu);
        Assert.Equal("the generic GPU kernel, SIMT", layer.GpuKernel(_gpu));
        Check(data, layer, rows: 3);
    }

    [Fact]
    public void MappedLayersAreCopiedToTheDevice()
    {
        using var folder = new TemporaryFolder();
        TensorDictionary source = PackedModels.Model();
        using SafetensorsFile file = SafetensorsFile.Open(folder.Pack("m", source));
        foreach (string prefix in PackedModels.Prefixes)
        {
            using Linear4Bit rows = Linear4Bit.Load(source, prefix).To(_gpu), mapped = Linear4Bit.Load(file, prefix).To(_gpu);
            Assert.True(mapped.IsMapped);
            float[] x = LayerData.RandomInput(3 * rows.In, seed: 15);
            using GpuTensor xs = Upload(x, GpuElement.Float32, 3, rows.In);
            using GpuTensor expected = GpuTensor.Allocate(_gpu, GpuElement.Float32, 3, rows.Out), found = GpuTensor.Allocate(_gpu, GpuElement.Float32, 3, rows.Out);
            rows.Forward(xs, expected);
            mapped.Forward(xs, found);
            Assert.Equal(Download(expected), Download(found));
        }
    }

    /// <summary>Of float16 in and out only rounding of the output is left, because x is given as what float16 holds.</summary>
    [Theory]
    [InlineData(GpuElement.Float16, GpuElement.Float32)]
    [InlineData(GpuElement.Float32, GpuElement.Float16)]
    [InlineData(GpuElement.Float16, GpuElement.Float16)]
    public void ElementsOfEitherType(GpuElement input, GpuElement output)
    {
        foreach (Linear4BitShape shape in new Linear4BitShape[] { new(172, 64, 64), new(130, 33, 64), new(78, 17, 16), new(50, 20, 9) })
        {
            LayerData data = LayerData.Random(shape, seed: 13);
            float[] x = [.. LayerData.RandomInput(5 * shape.In, seed: 14).Select(static value => (float)(Half)value)];
            using Linear4Bit layer = data.CreateLayer().To(_gpu);
            using GpuTensor xs = Upload(x, input, 5, shape.In);
            using GpuTensor ys = GpuTensor.Allocate(_gpu, output, 5, shape.Out);
            layer.Forward(xs, ys);
            Expected expected = data.Reference(x);
            if (output == GpuElement.Float32)
            {
                expected.Check(Download(ys), $"{shape}");
            }
            else
            {
                float[] y = Download(ys);
                for (int i = 0; i < y.Length; i++)
                {
                    Assert.InRange(y[i], expected.Y[i] - Tolerance(i), expected.Y[i] + Tolerance(i));
                }
            }

            // float16's spacing, for the emulated GPU cuts where a GPU rounds, and what float32 sums may be off.
            double Tolerance(int i) => Math.Abs(expected.Y[i]) / 1024 + 1e-7 + 4e-7 * expected.Magnitude[i];
        }
    }

    [Fact]
    public void MemoryThatIsNotAlignedRunsOnTheGenericKernel()
    {
        var shape = new Linear4BitShape(172, 64, 64);
        LayerData data = LayerData.Random(shape, seed: 15);
        float[] x = LayerData.RandomInput(shape.In, seed: 16);
        using Linear4Bit layer = data.CreateLayer().To(_gpu);
        using GpuTensor memory = GpuTensor.From(_gpu, (float[])[0, .. x], shape.In + 1);
        using GpuTensor shifted = memory.Slice(1, shape.In);
        using GpuTensor y = layer.Forward(shifted);
        data.Reference(x).Check(Download(y), "x shifted by one element");
        using GpuTensor results = GpuTensor.Allocate(_gpu, GpuElement.Float32, shape.Out + 1);
        using GpuTensor shiftedResults = results.Slice(1, shape.Out);
        using GpuTensor aligned = GpuTensor.From(_gpu, x, shape.In);
        layer.Forward(aligned, shiftedResults);
        data.Reference(x).Check(Download(shiftedResults), "y shifted by one element");
    }

    [Fact]
    public void UnpackedIsThePlainWay()
    {
        foreach (Linear4BitShape shape in new Linear4BitShape[] { new(172, 64, 64), new(50, 20, 9) })
        {
            LayerData data = LayerData.Random(shape, seed: 27);
            float[] x = LayerData.RandomInput(2 * shape.In, seed: 28);
            using Linear4Bit layer = data.CreateLayer().To(_gpu);
            using GpuTensor xs = GpuTensor.From(_gpu, x, 2, shape.In);
            using GpuTensor y = GpuTensor.Allocate(_gpu, GpuElement.Float32, 2, shape.Out);
            layer.ForwardUnpack(xs, y);
            data.Reference(x).Check(Download(y), $"{shape}, unpacked");
        }
    }

    [Fact]
    public void AnEmulatedGpuHasNoGraphs()
    {
        bool hasRun = false;
        var exception = Assert.Throws<GpuUnavailableException>(() => _gpu.DefaultStream.Capture(() => hasRun = true));
        Assert.Contains("the emulated GPU has no graphs", exception.Message, StringComparison.Ordinal);
        Assert.False(hasRun);
    }

    [Fact]
    public void LeadingDimensionsStay()
    {
        var shape = new Linear4BitShape(64, 64, 64);
        LayerData data = LayerData.Random(shape, seed: 17);
        float[] x = LayerData.RandomInput(6 * shape.In, seed: 18);
        using Linear4Bit layer = data.CreateLayer().To(_gpu);
        using GpuTensor xs = GpuTensor.From(_gpu, x, 2, 3, shape.In);
        using GpuTensor y = layer.Forward(xs);
        Assert.Equal([2, 3, 64], y.Shape);
        Assert.Equal(GpuElement.Float32, y.Element);
        data.Reference(x).Check(Download(y), "[2, 3, 64]");
    }

    /// <summary>Host memory is computed on the processor by the same layer, before and after.</summary>
    [Fact]
    public void ALayerRunsWhereItsInputLives()
    {
        var shape = new Linear4BitShape(64, 64, 64);
        LayerData data = LayerData.Random(shape, seed: 19);
        float[] x = LayerData.RandomInput(shape.In, seed: 20);
        using Linear4Bit layer = data.CreateLayer();
        var before = new float[shape.Out];
        layer.Forward(x, before);
        Assert.Same(layer, layer.To(_gpu));
        Assert.Same(layer, layer.To(_gpu));
        var after = new float[shape.Out];
        layer.Forward(x, after);
        Assert.Equal(before, after);
        using GpuTensor xs = GpuTensor.From(_gpu, x, shape.In);
        using GpuTensor y = layer.Forward(xs);
        data.Reference(x).Check(Download(y), "on the GPU");
        Assert.EndsWith(", also on the emulated GPU", layer.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void ClonesShareWhatIsOnTheGpu()
    {
        var shape = new Linear4BitShape(64, 64, 64);
        LayerData data = LayerData.Random(shape, seed: 21);
        float[] x = LayerData.RandomInput(shape.In, seed: 22);
        using GpuTensor xs = GpuTensor.From(_gpu, x, shape.In);
        Linear4Bit layer = data.CreateLayer();
        using Linear4Bit clone = layer.Clone();
        layer.To(_gpu);
        Assert.True(clone.IsOn(_gpu));
        layer.Dispose();
        using GpuTensor y = clone.Forward(xs);
        data.Reference(x).Check(Download(y), "a clone");
        Assert.Throws<ObjectDisposedException>(() => layer.Forward(xs));
        Assert.Throws<ObjectDisposedException>(() => layer.To(_gpu));
        clone.RemoveFrom(_gpu);
        Assert.False(clone.IsOn(_gpu));
        Assert.Throws<ArgumentException>(() => clone.Forward(xs));
    }

    [Fact]
    public void OtherDevicesAreErrorsThatNameBoth()
    {
        using var other = GpuContext.CreateEmulated();
        using Linear4Bit layer = LayerData.Random(new Linear4BitShape(64, 64, 64), seed: 23).CreateLayer();
        using GpuTensor x = GpuTensor.Allocate(_gpu, GpuElement.Float32, 2, 64);
        Assert.Contains(
            "The input Float32[2, 64] on the emulated GPU lies on another device than the weights of Linear4Bit 64→64 g64, which are in host memory; bring",
            Assert.Throws<ArgumentException>(() => layer.Forward(x)).Message, StringComparison.Ordinal);
        layer.To(other);
        Assert.Contains(
            "which are in host memory, also on the emulated GPU;", Assert.Throws<ArgumentException>(() => layer.Forward(x)).Message, StringComparison.Ordinal);
        layer.To(_gpu);
        using GpuTensor elsewhere = GpuTensor.Allocate(other, GpuElement.Float32, 2, 64);
        Assert.Contains("allocate the output on the input's device", Message(elsewhere), StringComparison.Ordinal);
        using GpuStream stream = _gpu.CreateStream();
        using GpuTensor onAnotherStream = GpuTensor.Allocate(stream, GpuElement.Float32, 2, 64);
        Assert.Contains("belong to different streams", Message(onAnotherStream), StringComparison.Ordinal);

        string Message(GpuTensor y) => Assert.Throws<ArgumentException>(() => layer.Forward(x, y)).Message;
    }

    [Fact]
    public void ShapesThatDoNotFitAreErrors()
    {
        using Linear4Bit layer = LayerData.Random(new Linear4BitShape(64, 48, 64), seed: 24).CreateLayer().To(_gpu);
        using GpuTensor x = GpuTensor.Allocate(_gpu, GpuElement.Float32, 2, 64);
        using GpuTensor wide = GpuTensor.Allocate(_gpu, GpuElement.Float32, 2, 65);
        Assert.Contains("takes […, 64]", Assert.Throws<ArgumentException>(() => layer.Forward(wide)).Message, StringComparison.Ordinal);
        using GpuTensor tall = GpuTensor.Allocate(_gpu, GpuElement.Float32, 3, 48);
        Assert.Contains("a last one of Out = 48", Assert.Throws<ArgumentException>(() => layer.Forward(x, tall)).Message, StringComparison.Ordinal);
        using GpuTensor memory = GpuTensor.Allocate(_gpu, GpuElement.Float32, 200);
        using GpuTensor some = memory.Slice(0, 64);
        using GpuTensor overlapping = memory.Slice(32, 48);
        Assert.Contains("overlap", Assert.Throws<ArgumentException>(() => layer.Forward(some, overlapping)).Message, StringComparison.Ordinal);
        x.Dispose();
        Assert.Throws<ObjectDisposedException>(() => layer.Forward(x));
    }

    [Fact]
    public void ADisposedContextTakesNoLayer()
    {
        using Linear4Bit layer = LayerData.Random(new Linear4BitShape(64, 48, 64), seed: 25).CreateLayer();
        var gone = GpuContext.CreateEmulated();
        layer.To(gone);
        gone.Dispose();
        Assert.Throws<ObjectDisposedException>(() => LayerData.Random(new Linear4BitShape(64, 48, 64), seed: 25).CreateLayer().To(gone));
        layer.RemoveFrom(gone);
    }

    [Fact]
    public async Task ThreadsMayUseOneLayerAtOnce()
    {
        var shape = new Linear4BitShape(64, 64, 64);
        LayerData data = LayerData.Random(shape, seed: 26);
        using Linear4Bit layer = data.CreateLayer();
        await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Task.Run(() =>
        {
            layer.To(_gpu);
            float[] x = LayerData.RandomInput(shape.In, seed: 100 + i);
            using GpuStream stream = _gpu.CreateStream();
            using GpuTensor xs = GpuTensor.Allocate(stream, GpuElement.Float32, 1, shape.In);
            xs.Upload(x);
            using GpuTensor y = layer.Forward(xs);
            data.Reference(x).Check(Download(y), $"thread {i}");
        })));
    }

    internal static float[] Download(GpuTensor y)
    {
        if (y.Element == GpuElement.Float32)
        {
            var values = new float[y.Length];
            y.Download(values);
            return values;
        }

        var halves = new Half[y.Length];
        y.Download(halves);
        return [.. halves.Select(static value => (float)value)];
    }

    private void Check(LayerData data, Linear4Bit layer, int rows)
    {
        float[] x = LayerData.RandomInput(rows * layer.In, seed: 30 + rows);
        using GpuTensor xs = GpuTensor.From(_gpu, x, rows, layer.In);
        using GpuTensor y = layer.Forward(xs);
        data.Reference(x).Check(Download(y), $"{layer.Shape}, {rows} rows");
    }

    private GpuTensor Upload(float[] x, GpuElement element, params ReadOnlySpan<int> shape) => element == GpuElement.Float32
        ? GpuTensor.From(_gpu, x, shape)
        : GpuTensor.From(_gpu, (Half[])[.. x.Select(static value => (Half)value)], shape);
}
