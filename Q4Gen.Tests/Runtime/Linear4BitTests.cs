using System.Globalization;

namespace Q4Gen.Tests.Runtime;

/// <summary>What a layer computes and says about itself.</summary>
public sealed class Linear4BitTests
{
    [Fact]
    public void ForwardAndForwardUnpackFollowTheDefinition()
    {
        int seed = 0;
        foreach (Linear4BitShape shape in Linear4BitSample.Take(Linear4BitSample.Shapes, 100))
        {
            Linear4BitSample sample = Linear4BitSample.Create(shape, ++seed, bias: seed % 2 == 0);
            using Linear4Bit layer = sample.Layer();
            int rows = 1 + seed % 7;
            float[] x = Linear4BitSample.Input(rows * shape.In);
            var y = new float[rows * shape.Out];
            layer.ForwardUnpack(x, y);
            sample.AssertForward(x, y, tolerance: 3e-7);
            layer.Forward(x, y);
            sample.AssertForward(x, y, tolerance: 3e-6);
        }
    }

    [Fact]
    public void EveryInstructionSetComputesTheSameLayer()
    {
        Linear4BitSample sample = Linear4BitSample.Create(new Linear4BitShape(172, 37, 64), bias: true);
        using Linear4Bit layer = sample.Layer();
        float[] x = Linear4BitSample.Input(3 * 172);
        int kernels = 0;
        foreach (KernelIsa isa in Enum.GetValues<KernelIsa>())
        {
            using Linear4Bit? clone = layer.CloneFor(isa);
            if (clone is not null)
            {
                kernels++;
                Assert.Equal(isa, clone.Kernel.Isa);
                var y = new float[3 * 37];
                clone.Forward(x, y);
                sample.AssertForward(x, y, tolerance: 3e-6);
            }
        }

        Assert.True(kernels >= 1);
        using Linear4Bit? scalar = layer.CloneFor(KernelIsa.Scalar);
        Assert.NotNull(scalar);
    }

    [Fact]
    public void WhatLiesBehindTheOutputIsLeftAlone()
    {
        Linear4BitSample sample = Linear4BitSample.Create(new Linear4BitShape(64, 37, 32));
        using Linear4Bit layer = sample.Layer();
        var y = new float[2 * 37 + 5];
        Array.Fill(y, 7f);
        layer.Forward(Linear4BitSample.Input(128), y);
        Assert.False(y.AsSpan(2 * 37).ContainsAnyExcept(7f));
        layer.ForwardUnpack(Linear4BitSample.Input(128), y);
        Assert.False(y.AsSpan(2 * 37).ContainsAnyExcept(7f));
    }

    [Fact]
    public void ZeroRowsAreNoWork()
    {
        using Linear4Bit layer = Linear4BitSample.Create(new Linear4BitShape(64, 37, 32), bias: true).Layer();
        layer.Forward(ReadOnlySpan<float>.Empty, Span<float>.Empty);
        layer.ForwardUnpack(ReadOnlySpan<float>.Empty, Span<float>.Empty);
        float[] untouched = [7f];
        layer.Forward(ReadOnlySpan<float>.Empty, untouched);
        Assert.Equal([7f], untouched);
    }

    [Fact]
    public void PropertiesSayWhatTheLayerIs()
    {
        Linear4BitSample sample = Linear4BitSample.Create(new Linear4BitShape(172, 37, 64), bias: true);
        using Linear4Bit layer = sample.Layer();
        Assert.Equal((172, 37, 64, true), (layer.In, layer.Out, layer.Group, layer.HasBias));
        Assert.Equal(sample.Shape, layer.Shape);

        // 3 panels × 22 steps × 64 bytes, 3 × 3 groups × 32 bytes, 48 biases × 4 bytes; parts start at multiples of 64.
        Assert.Equal(4224 + 320 + 192, layer.ByteLength);
        using Linear4Bit plain = Linear4BitSample.Create(new Linear4BitShape(172, 37, 64)).Layer();
        Assert.False(plain.HasBias);
    }

    [Fact]
    public void ToStringNamesShapeBiasBytesAndKernelInAnyCulture()
    {
        CultureInfo culture = CultureInfo.CurrentCulture;
        try
        {
            CultureInfo.CurrentCulture = new CultureInfo("") { NumberFormat = { NumberDecimalSeparator = "," } };
            using Linear4Bit layer = Linear4BitSample.Create(new Linear4BitShape(172, 37, 64), bias: true).Layer();
            Assert.Equal($"Linear4Bit 172→37 g64, bias, 4.7 kB, {layer.Kernel.Name} (generic)", layer.ToString());
            using Linear4Bit large = Linear4BitSample.Create(new Linear4BitShape(2048, 1536, 128)).Layer();
            Assert.Equal($"Linear4Bit 2048→1536 g128, 1.6 MB, {large.Kernel}", large.ToString());
        }
        finally
        {
            CultureInfo.CurrentCulture = culture;
        }
    }

    [Fact]
    public void ContentsComeBackAsTheFileHadThem()
    {
        foreach (bool bias in new[] { false, true })
        {
            Linear4BitSample sample = Linear4BitSample.Create(new Linear4BitShape(172, 37, 64), bias: bias);
            using Linear4Bit layer = sample.Layer();
            Dictionary<string, WeightTensor> tensors = layer.ToTensors("model.q_proj");
            Assert.Equal("U8 [37, 86]", tensors["model.q_proj.weight_4bit"].ToString());
            Assert.Equal("F16 [37, 3]", tensors["model.q_proj.scales_4bit"].ToString());
            Assert.True(tensors["model.q_proj.weight_4bit"].Bytes(0, 37 * 86).SequenceEqual(sample.Weight));
            var scales = new Half[sample.Scales.Length];
            layer.CopyScales4Bit(scales);
            Assert.Equal(sample.Scales, scales);
            var copy = new float[37];
            layer.CopyBias(copy);
            Assert.Equal(bias ? sample.Bias : new float[37], copy);
            Assert.Equal(bias, tensors.ContainsKey("model.q_proj.bias"));
            Assert.Equal(bias ? 3 : 2, tensors.Count);
            Assert.Contains("weight_4bit", layer.ToTensors("").Keys);
        }
    }

    [Fact]
    public void WhatIsSavedLoadsAsTheSameLayer()
    {
        using var folder = new TemporaryFolder();
        foreach (Linear4BitShape shape in Linear4BitSample.Take(Linear4BitSample.Shapes, 20))
        {
            Linear4BitSample sample = Linear4BitSample.Create(shape, bias: shape.Out % 2 == 0);
            using Linear4Bit layer = sample.Layer();
            layer.Save(folder["layer.safetensors"], "model.q_proj");
            using SafetensorsFile file = SafetensorsFile.Open(folder["layer.safetensors"]);
            using Linear4Bit fromFile = Linear4Bit.Load(file, "model.q_proj");
            using Linear4Bit fromMemory = Linear4Bit.LoadDirect(layer.ToTensors(""), "", shape.Group);
            foreach (Linear4Bit loaded in new[] { fromFile, fromMemory })
            {
                Assert.Equal((shape, layer.HasBias), (loaded.Shape, loaded.HasBias));
                float[] x = Linear4BitSample.Input(shape.In);
                var y = new float[shape.Out];
                loaded.ForwardUnpack(x, y);
                sample.AssertForward(x, y, tolerance: 3e-7);
            }
        }
    }

    [Fact]
    public void QuantizeMakesALayerOfAMatrix()
    {
        float[] w = Linear4BitSample.Input(37 * 172);
        float[] bias = Linear4BitSample.Input(37, seed: 3);
        WeightTensor matrix = WeightTensor.FromSingle(w, 37, 172);
        using Linear4Bit layer = Linear4Bit.Quantize(matrix, 64, bias);
        QuantizedMatrix quantized = Linear4BitQuantizer.Quantize(matrix, 64, ct: TestContext.Current.CancellationToken);
        var sample = new Linear4BitSample(layer.Shape, quantized.WeightSpan.ToArray(), quantized.ScaleSpan.ToArray(), bias);
        float[] x = Linear4BitSample.Input(172, seed: 4);
        var y = new float[37];
        layer.ForwardUnpack(x, y);
        sample.AssertForward(x, y, tolerance: 3e-7);
    }

    [Fact]
    public void SpanCallsAllocateNothing()
    {
        using Linear4Bit layer = Linear4BitSample.Create(new Linear4BitShape(64, 48, 32)).Layer();
        float[] x = Linear4BitSample.Input(5 * 64);
        var y = new float[5 * 48];
        layer.Forward(x, y);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            layer.Forward(x, y);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }
}
