using System.Runtime.InteropServices;
using CsCheck;

namespace Q4Gen.Tests.Runtime;

/// <summary>Signed-max quantisation of one matrix.</summary>
public sealed class QuantizerTests
{
    /// <summary>Weights of many magnitudes, with zeros, zero groups and ties between +max and −max.</summary>
    private static readonly Gen<(Linear4BitShape Shape, float[] W)> s_matrices =
        from shape in Linear4BitSample.Shapes
        from magnitude in Gen.OneOf(1e-3f, 0.02f, 1f, 300f)
        from kind in Gen.Int[0, 3]
        from seed in Gen.Int[1, 1_000_000]
        select (shape, Matrix(shape, magnitude, kind, seed));

    [Fact]
    public void EveryWeightIsWithinAScaleOfItsOriginal()
    {
        foreach ((Linear4BitShape shape, float[] w) in Linear4BitSample.Take(s_matrices, 150))
        {
            QuantizedMatrix matrix = Quantize(shape, w);
            float[] back = Dequantize(matrix);
            for (int i = 0; i < w.Length; i++)
            {
                double scale = Math.Abs((double)matrix.ScaleSpan[i / shape.In * shape.Groups + i % shape.In / shape.Group]);

                // Half a step; a whole one where the code would be 8, as of the smaller of two equal extremes of opposite
                // sign; and on top of either what rounding the scale to F16, by at most 2⁻¹¹, moves the extremes.
                double bound = (IsClamped(w[i], back[i], scale) ? 1 : 0.5) * scale + 8 * scale / 2047;
                if (!(Math.Abs(w[i] - back[i]) <= bound))
                {
                    Assert.Fail($"{shape}: weight {i} is {w[i]:R}, came back as {back[i]:R} at scale {scale:R}.");
                }
            }
        }

        static bool IsClamped(float w, float back, double scale) => Math.Abs(w) > 7.5 * scale && Math.Abs(back) < 7.5 * scale;
    }

    [Fact]
    public void EveryCodeIsTheNearestOfSixteen()
    {
        foreach ((Linear4BitShape shape, float[] w) in Linear4BitSample.Take(s_matrices, 40))
        {
            QuantizedMatrix matrix = Quantize(shape, w);
            float[] back = Dequantize(matrix);
            for (int i = 0; i < w.Length; i++)
            {
                double scale = (double)matrix.ScaleSpan[i / shape.In * shape.Groups + i % shape.In / shape.Group];
                double best = Enumerable.Range(-8, 16).Min(code => Math.Abs(w[i] - code * scale));

                // The quotient is rounded to float32 before it is rounded to a code.
                Assert.True(Math.Abs(w[i] - back[i]) <= best + 1e-6 * Math.Abs(scale), $"{shape}: weight {i} = {w[i]:R} came back as {back[i]:R}.");
            }
        }
    }

    [Fact]
    public void QuantisingWhatWasQuantisedChangesNothing()
    {
        foreach ((Linear4BitShape shape, float[] w) in Linear4BitSample.Take(s_matrices, 150))
        {
            QuantizedMatrix once = Quantize(shape, w);
            QuantizedMatrix twice = Quantize(shape, Dequantize(once));
            Assert.True(once.WeightSpan.SequenceEqual(twice.WeightSpan), $"{shape}: other codes.");
            Assert.True(once.ScaleSpan.SequenceEqual(twice.ScaleSpan), $"{shape}: other scales.");
            Assert.Equal(0, twice.RelativeRmsError);
            Assert.Equal(0, twice.MaxAbsoluteError);
        }
    }

    [Theory]
    [InlineData(0.25f)]
    [InlineData(-0.25f)]
    public void AllSixteenCodesAreUsed(float step)
    {
        float[] w = [.. Enumerable.Range(-8, 16).Select(code => code * step)];
        QuantizedMatrix matrix = Quantize(new Linear4BitShape(16, 1, 16), w);
        Assert.Equal([0x10, 0x32, 0x54, 0x76, 0x98, 0xBA, 0xDC, 0xFE], matrix.WeightSpan.ToArray());
        Assert.Equal((Half)step, Assert.Single(matrix.ScaleSpan.ToArray()));
        Assert.Equal(0, matrix.RelativeRmsError);
    }

    [Fact]
    public void TheLargestMagnitudeBecomesMinusEightWhateverItsSign()
    {
        Assert.Equal((Half)(-0.5f), Quantize(new Linear4BitShape(4, 1, 4), [1, 4, -3, 0]).ScaleSpan[0]);
        Assert.Equal((Half)0.5f, Quantize(new Linear4BitShape(4, 1, 4), [1, -4, 3, 0]).ScaleSpan[0]);
    }

    [Fact]
    public void TheScaleIsRoundedBeforeCodesAreChosen()
    {
        // 0.1 is 0.09998 in F16. A weight between half of the one and half of the other is code 1 at the rounded scale,
        // and would be 0 at the scale before rounding.
        const float weight = 0.499955f * 0.1f;
        QuantizedMatrix matrix = Quantize(new Linear4BitShape(2, 1, 2), [-0.8f, weight]);
        Assert.InRange(weight, 0.5f * (float)(Half)0.1f, 0.5f * 0.1f);
        Assert.Equal((8 + 1) << 4, matrix.WeightSpan[0]);
    }

    [Fact]
    public void ZerosAndWhatF16CannotHoldBecomeZero()
    {
        QuantizedMatrix matrix = Quantize(new Linear4BitShape(4, 1, 2), [0, -0f, 1e-9f, -1e-9f]);
        Assert.Equal([0x88, 0x88], matrix.WeightSpan.ToArray());
        Assert.All(matrix.ScaleSpan.ToArray(), scale => Assert.Equal(0, (float)scale));
        Assert.Equal(0, Quantize(new Linear4BitShape(2, 1, 2), [0, 0]).RelativeRmsError);
    }

    [Fact]
    public void ErrorFiguresAreThoseOfTheResult()
    {
        (Linear4BitShape shape, float[] w) = Linear4BitSample.Take(s_matrices, 1).Single();
        QuantizedMatrix matrix = Quantize(shape, w);
        double[] errors = [.. Dequantize(matrix).Zip(w, (back, original) => (double)original - back)];
        Assert.Equal(Math.Sqrt(errors.Sum(e => e * e) / w.Sum(v => (double)v * v)), matrix.RelativeRmsError, tolerance: 1e-9);
        Assert.Equal(errors.Max(Math.Abs), matrix.MaxAbsoluteError, tolerance: 1e-9);
    }

    [Fact]
    public void NormalWeightsLoseWhatTheDocumentationSays()
    {
        var random = new Random(5);
        float[] w = [.. Enumerable.Range(0, 256 * 512).Select(_ => (float)Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * MathF.Cos(random.NextSingle() * MathF.Tau))];
        Assert.InRange(Quantize(new Linear4BitShape(512, 256, 32), w).RelativeRmsError, 0.085, 0.087);
        Assert.InRange(Quantize(new Linear4BitShape(512, 256, 128), w).RelativeRmsError, 0.102, 0.104);
    }

    [Theory]
    [InlineData(TensorType.F16)]
    [InlineData(TensorType.BF16)]
    public void HalfPrecisionMatricesGiveWhatTheirValuesGive(TensorType type)
    {
        var shape = new Linear4BitShape(172, 37, 64);
        ushort[] bits = [.. Linear4BitSample.Input(37 * 172).Select(w => type == TensorType.F16
            ? BitConverter.HalfToUInt16Bits((Half)w) : (ushort)(BitConverter.SingleToUInt32Bits(w) >> 16))];
        var tensor = new WeightTensor(type, [37, 172], MemoryMarshal.AsBytes(bits.AsSpan()).ToArray());
        QuantizedMatrix matrix = Linear4BitQuantizer.Quantize(tensor, 64, ct: TestContext.Current.CancellationToken);
        QuantizedMatrix same = Quantize(shape, tensor.ToSingleArray());
        Assert.Equal(shape, matrix.Shape);
        Assert.True(matrix.WeightSpan.SequenceEqual(same.WeightSpan));
        Assert.True(matrix.ScaleSpan.SequenceEqual(same.ScaleSpan));
    }

    [Fact]
    public void TensorsAreInFileFormat()
    {
        QuantizedMatrix matrix = Quantize(new Linear4BitShape(172, 37, 64), Linear4BitSample.Input(37 * 172));
        Assert.Equal("U8 [37, 86]", matrix.Weight4Bit.ToString());
        Assert.Equal("F16 [37, 3]", matrix.Scales4Bit.ToString());
        Assert.True(matrix.Weight4Bit.Bytes(0, 37 * 86).SequenceEqual(matrix.WeightSpan));
        Assert.StartsWith("172→37 g64, relative RMS error 0.", matrix.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(float.NaN, "NaN")]
    [InlineData(float.PositiveInfinity, "Infinity")]
    [InlineData(524_160f, "524160")]
    [InlineData(-1e30f, "-1E+30")]
    public void WeightsThatHaveNoScaleAreNamed(float bad, string text)
    {
        // Many rows, so that several blocks fail at once: the first bad row is named whatever the threads do.
        float[] w = Linear4BitSample.Input(4096 * 128);
        for (int row = 1234; row < 4096; row += 3)
        {
            w[row * 128 + 70] = bad;
        }

        string message = Assert.Throws<WeightFormatException>(() => Quantize(new Linear4BitShape(128, 4096, 64), w)).Message;
        Assert.Contains("1234", message, StringComparison.Ordinal);
        Assert.Contains(text, message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheLargestWeightsThatF16ScalesReachAreTaken() =>
        Assert.Equal(-Half.MaxValue, Quantize(new Linear4BitShape(2, 1, 2), [524_159f, 0]).ScaleSpan[0]);

    [Fact]
    public void MatricesThatCannotBeALayerAreRefused()
    {
        AssertRefused(new WeightTensor(TensorType.I32, [2, 4], new byte[32]), "I32 [2, 4]", "F32, F16 and BF16");
        AssertRefused(new WeightTensor(TensorType.F32, [8], new byte[32]), "F32 [8]", "[out, in]");
        AssertRefused(new WeightTensor(TensorType.F32, [2, 2, 2], new byte[32]), "F32 [2, 2, 2]", "[out, in]");
        AssertRefused(new WeightTensor(TensorType.F32, [0, 2], Array.Empty<byte>()), "F32 [0, 2]", "positive");
        AssertRefused(new WeightTensor(TensorType.F32, [2, 3], new byte[24]), "In = 3 is odd", "leave this layer");
        Assert.Throws<ArgumentOutOfRangeException>("group", () => Quantize(new Linear4BitShape(2, 2, 0), new float[4]));
        Assert.Throws<ArgumentNullException>("matrix", () => Linear4BitQuantizer.Quantize(null!, 32, ct: TestContext.Current.CancellationToken));
    }

    [Fact]
    public void ProgressRisesToOne()
    {
        var shares = new List<double>();
        Linear4BitQuantizer.Quantize(
            WeightTensor.FromSingle(Linear4BitSample.Input(4096 * 128), 4096, 128), 64, new Collect(shares.Add), TestContext.Current.CancellationToken);
        Assert.True(shares.Count > 1);
        Assert.Equal(shares.Order(), shares);
        Assert.Equal(1, shares[^1]);
    }

    [Fact]
    public void CancellingStopsTheWork()
    {
        WeightTensor matrix = WeightTensor.FromSingle(Linear4BitSample.Input(32768 * 128), 32768, 128);
        using var cancel = new CancellationTokenSource();
        double last = 0;
        var progress = new Collect(share =>
        {
            last = share;
            cancel.Cancel();
        });
        Assert.ThrowsAny<OperationCanceledException>(() => Linear4BitQuantizer.Quantize(matrix, 64, progress, cancel.Token));
        Assert.True(last < 1);
        Assert.ThrowsAny<OperationCanceledException>(() => Linear4BitQuantizer.Quantize(matrix, 64, null, cancel.Token));
    }

    [Fact]
    public void AFileThatIsClosedMeanwhileIsOneClearError()
    {
        using var folder = new TemporaryFolder();
        WeightTensor matrix = WeightTensor.FromSingle(Linear4BitSample.Input(4096 * 128), 4096, 128);
        SafetensorsWriter.Write(folder["model.safetensors"], [KeyValuePair.Create("w", matrix)]);
        using SafetensorsFile file = SafetensorsFile.Open(folder["model.safetensors"]);
        Assert.True(file.TryGet("w", out WeightTensor? mapped));
        Assert.Throws<ObjectDisposedException>(() => Linear4BitQuantizer.Quantize(
            mapped, 64, new Collect(_ => file.Dispose()), TestContext.Current.CancellationToken));
    }

    [Fact]
    public void WhatAProgressHandlerThrowsArrivesAsItIs() => Assert.Throws<InvalidTimeZoneException>(() => Linear4BitQuantizer.Quantize(
        WeightTensor.FromSingle(Linear4BitSample.Input(4096 * 128), 4096, 128), 64, new Collect(_ => throw new InvalidTimeZoneException()), TestContext.Current.CancellationToken));

    private static void AssertRefused(WeightTensor matrix, string found, string expected)
    {
        string message = Assert.Throws<WeightFormatException>(() => Linear4BitQuantizer.Quantize(matrix, 32, ct: TestContext.Current.CancellationToken)).Message;
        Assert.Contains(found, message, StringComparison.Ordinal);
        Assert.Contains(expected, message, StringComparison.Ordinal);
    }

    private static QuantizedMatrix Quantize(Linear4BitShape shape, float[] w) =>
        Linear4BitQuantizer.Quantize(WeightTensor.FromSingle(w, shape.Out, shape.In), shape.Group, ct: TestContext.Current.CancellationToken);

    private static float[] Dequantize(QuantizedMatrix matrix) =>
        Linear4BitReference.Dequantize(matrix.Shape, matrix.WeightSpan, matrix.ScaleSpan);

    private static float[] Matrix(Linear4BitShape shape, float magnitude, int kind, int seed)
    {
        var random = new Random(seed);
        var w = new float[shape.Out * shape.In];
        for (int i = 0; i < w.Length; i++)
        {
            int group = i % shape.In / shape.Group;
            float centred = random.NextSingle() * 2 - 1;
            w[i] = magnitude * kind switch
            {
                0 => centred,
                1 => group % 2 == 0 ? 0 : centred,
                2 => MathF.CopySign(1, centred),
                _ => centred * centred * centred + 0.3f,
            };
        }

        return w;
    }

    private sealed class Collect(Action<double> report) : IProgress<double>
    {
        public void Report(double value) => report(value);
    }
}
