using static Q4Gen.Tests.Runtime.QuantizerSamples;

namespace Q4Gen.Tests.Runtime;

/// <summary>The search for scales and offsets: never worse than without, in any group.</summary>
[Trait(Kernels.Emulated.Trait, Kernels.Emulated.Never)] // The search takes minutes there, and nothing of it depends on the processor.
public sealed class QuantizerSearchTests
{
    // Importances are scaled to float32 inside.
    private const double Rounding = 1 + 1e-6;

    [Fact]
    public void NoGroupIsWorseThanWithTheSimplerMethod()
    {
        foreach ((Linear4BitShape shape, string kind, float[] w, float[]? u) in Linear4BitSample.Take(Matrices, 150))
        {
            double[] signedMax = GroupErrors(Quantize(shape, w, QuantizationMethod.SignedMax), w, u);
            double[] symmetric = GroupErrors(Quantize(shape, w, QuantizationMethod.Search, false, u), w, u);
            double[] minMax = GroupErrors(Quantize(shape, w, QuantizationMethod.SignedMax, true, u), w, u);
            double[] affine = GroupErrors(Quantize(shape, w, QuantizationMethod.Search, true, u), w, u);
            for (int group = 0; group < signedMax.Length; group++)
            {
                Assert.True(symmetric[group] <= signedMax[group] * Rounding,
                    $"{shape}, {kind}: group {group} has {symmetric[group]:R} with the search, {signedMax[group]:R} without.");
                Assert.True(affine[group] <= symmetric[group] * Rounding,
                    $"{shape}, {kind}: group {group} has {affine[group]:R} with an offset, {symmetric[group]:R} without.");
                Assert.True(affine[group] <= minMax[group] * Rounding,
                    $"{shape}, {kind}: group {group} has {affine[group]:R} with offset and search, {minMax[group]:R} with the offset alone.");
            }
        }
    }

    [Theory]
    [InlineData(QuantizationMethod.SignedMax, false)]
    [InlineData(QuantizationMethod.SignedMax, true)]
    [InlineData(QuantizationMethod.Search, false)]
    [InlineData(QuantizationMethod.Search, true)]
    public void EveryCodeIsTheNearestAtTheRoundedNumbers(QuantizationMethod method, bool affine)
    {
        foreach ((Linear4BitShape shape, string kind, float[] w, float[]? u) in Linear4BitSample.Take(Matrices, 60))
        {
            QuantizedMatrix matrix = Quantize(shape, w, method, affine, u);
            Assert.Equal(affine, matrix.Offsets4Bit is not null);
            double[] back = Dequantize(matrix);
            for (int i = 0; i < w.Length; i++)
            {
                int group = GroupOf(shape, i);
                double scale = (double)matrix.ScaleSpan[group];
                double offset = affine ? (double)matrix.OffsetSpan[group] : 0;
                Assert.True(double.IsFinite(scale) && double.IsFinite(offset));
                double nearest = Math.Clamp(Math.Round((w[i] - offset) / (scale == 0 ? 1 : scale)), -8, 7) * scale + offset;

                // Difference and quotient are rounded to float32.
                double slack = 1e-6 * (8 * Math.Abs(scale) + Math.Abs(w[i]) + Math.Abs(offset));
                Assert.True(Math.Abs(w[i] - back[i]) <= Math.Abs(w[i] - nearest) + slack, $"{shape}, {kind}: weight {i} = {w[i]:R} came back as {back[i]:R}.");
            }
        }
    }

    [Fact]
    public void SymmetricSearchIsNearTheBestOfAllCodes()
    {
        double found = 0, best = 0, signedMax = 0;
        var random = new Random(7);
        foreach (int columns in Enumerable.Repeat(4, 40).Append(2))
        {
            var shape = new Linear4BitShape(columns, 1, columns);
            float[] w = Matrix(shape, "normal", random.Next());
            float[] u = [.. Enumerable.Range(0, columns).Select(_ => 0.1f + random.NextSingle())];
            double norm = w.Zip(u, (value, weight) => (double)weight * value * value).Sum();
            double least = LeastError(w, u) / norm;
            double error = GroupErrors(Quantize(shape, w, QuantizationMethod.Search, false, u), w, u)[0] / norm;

            // Rounding the scale to 11 bits moves each weight by up to 2⁻¹² of itself.
            Assert.True(Math.Sqrt(error) >= Math.Sqrt(least) - 1e-9);
            Assert.InRange(Math.Sqrt(error), 0, Math.Sqrt(least) + 0.05);
            found += error;
            best += least;
            signedMax += GroupErrors(Quantize(shape, w, QuantizationMethod.SignedMax), w, u)[0] / norm;
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"best {best:G3}, search {found:G3}, signed max {signedMax:G3}");
        Assert.True(found - best < 0.5 * (signedMax - best), $"Best {best:G3}, search {found:G3}, signed max {signedMax:G3}.");
    }

    [Theory]
    [InlineData(32, 0.95, 0.85)]
    [InlineData(64, 0.96, 0.90)]
    [InlineData(128, 0.96, 0.92)]
    [InlineData(4096, 0.85, 0.84)]
    public void NormalWeightsGain(int group, double symmetric, double affine)
    {
        var shape = new Linear4BitShape(4096, 16, group);
        float[] w = Matrix(shape, "normal", 3);
        double signedMax = Quantize(shape, w, QuantizationMethod.SignedMax).RelativeRmsError;
        double search = Quantize(shape, w, QuantizationMethod.Search).RelativeRmsError;
        double withOffset = Quantize(shape, w, QuantizationMethod.Search, affine: true).RelativeRmsError;
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"g{group}: signed max {signedMax:F4}, search {search:F4} ({search / signedMax:F3}), affine {withOffset:F4} ({withOffset / signedMax:F3}), min/max {Quantize(shape, w, QuantizationMethod.SignedMax, affine: true).RelativeRmsError:F4}");
        Assert.InRange(search / signedMax, 0.5, symmetric);
        Assert.InRange(withOffset / signedMax, 0.5, affine);
    }

    [Fact]
    public void WhatLiesOnAGridComesBackExactly()
    {
        float[] codes = [-8, -7, -3, -1, 0, 1, 2, 3, 5, 7];
        var shape = new Linear4BitShape(10, 1, 32);
        Assert.Equal(0, Quantize(shape, [.. codes.Select(q => q * 0.125f)], QuantizationMethod.Search).RelativeRmsError);

        // The extremes make −8 of the 7 here.
        Assert.Equal(0, Quantize(shape, [.. codes.Select(q => Math.Max(q, -5) * 0.125f)], QuantizationMethod.Search).RelativeRmsError);
        float[] shifted = [.. codes.Select(q => q * 0.125f + 3)];
        Assert.NotEqual(0, Quantize(shape, shifted, QuantizationMethod.Search).RelativeRmsError);
        Assert.Equal(0, Quantize(shape, shifted, QuantizationMethod.Search, affine: true).RelativeRmsError);
        Assert.Equal(0, Quantize(shape, shifted, QuantizationMethod.SignedMax, affine: true).RelativeRmsError);
    }

    [Fact]
    public void TheExtremesOfF16AreUsed()
    {
        // Signed max rounds 3/8 of the smallest scale to zero; the search finds the smallest itself.
        const float smallest = 1f / (1 << 24);
        var shape = new Linear4BitShape(4, 1, 4);
        float[] tiny = [smallest, 2 * smallest, -3 * smallest, 0];
        Assert.Equal(1, Quantize(shape, tiny, QuantizationMethod.SignedMax).RelativeRmsError);
        Assert.Equal(0, Quantize(shape, tiny, QuantizationMethod.Search).RelativeRmsError);
        Assert.Equal(0, Quantize(shape, tiny, QuantizationMethod.Search, affine: true).RelativeRmsError);

        float[] huge = [524_159, -524_159, 524_159, 1];
        foreach (bool affine in new[] { false, true })
        {
            foreach (QuantizationMethod method in Enum.GetValues<QuantizationMethod>())
            {
                Assert.InRange(Quantize(shape, huge, method, affine).RelativeRmsError, 0, 0.08);
                string message = Assert.Throws<WeightFormatException>(() => Quantize(shape, [0, 0, 524_160, 0], method, affine)).Message;
                Assert.Contains("524160", message, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void OffsetsBeyondF16LeaveTheGroupSymmetric()
    {
        float[] w = [100_000, 100_000, 100_001, 100_002];
        QuantizedMatrix matrix = Quantize(new Linear4BitShape(4, 1, 4), w, QuantizationMethod.SignedMax, affine: true);
        Assert.Equal(Half.Zero, matrix.OffsetSpan[0]);
        Assert.Equal((Half)(-12_500.25f), matrix.ScaleSpan[0]);
    }

    [Fact]
    public void ConstantsNeedNoCodes()
    {
        float[] w = [.. Enumerable.Repeat(0.1f, 32)];
        var shape = new Linear4BitShape(32, 1, 32);
        QuantizedMatrix matrix = Quantize(shape, w, QuantizationMethod.SignedMax, affine: true);
        Assert.Equal((Half)0.1f, matrix.OffsetSpan[0]);
        Assert.Equal(Half.Zero, matrix.ScaleSpan[0]);

        // What rounding the offset leaves is what the scale can make up for.
        Assert.InRange(Quantize(shape, w, QuantizationMethod.Search, affine: true).RelativeRmsError, 0, 1e-6);
    }

    [Theory]
    [InlineData(QuantizationMethod.Search, false)]
    [InlineData(QuantizationMethod.Search, true)]
    [InlineData(QuantizationMethod.SignedMax, true)]
    public void TheNumberOfThreadsChangesNothing(QuantizationMethod method, bool affine)
    {
        var shape = new Linear4BitShape(512, 400, 64);
        WeightTensor w = WeightTensor.FromSingle(Matrix(shape, "outliers", 11), shape.Out, shape.In);
        float[] u = [.. Linear4BitSample.Input(512).Select(Math.Abs)];
        var options = new QuantizationOptions { Group = 64, Method = method, Affine = affine, Importance = _ => u };
        QuantizedMatrix one = Run(1);
        foreach (int threads in new[] { 2, 5, -1 })
        {
            QuantizedMatrix many = Run(threads);
            Assert.True(one.WeightSpan.SequenceEqual(many.WeightSpan));
            Assert.True(one.ScaleSpan.SequenceEqual(many.ScaleSpan));
            Assert.True(one.OffsetSpan.SequenceEqual(many.OffsetSpan));
            Assert.Equal(one.RelativeRmsError, many.RelativeRmsError);
            Assert.Equal(one.WeightedRmsError, many.WeightedRmsError);
            Assert.Equal(one.MaxAbsoluteError, many.MaxAbsoluteError);
        }

        QuantizedMatrix Run(int threads) =>
            Linear4BitQuantizer.Prepare(w, options, 64, "", "the matrix", threads).Run(null, TestContext.Current.CancellationToken);
    }

    /// <summary>The least Σu(w − s·q)² of all codes, each with its least-squares scale, which is not rounded.</summary>
    private static double LeastError(float[] w, float[] u)
    {
        double most = 0;
        for (int all = 0; all < 1 << (4 * w.Length); all++)
        {
            double uwq = 0, uqq = 0;
            for (int i = 0; i < w.Length; i++)
            {
                int q = (all >> (4 * i) & 0xF) - 8;
                uwq += (double)u[i] * w[i] * q;
                uqq += (double)u[i] * q * q;
            }

            most = uqq > 0 ? Math.Max(most, uwq * uwq / uqq) : most;
        }

        return Math.Max(0, w.Zip(u, (value, weight) => (double)weight * value * value).Sum() - most);
    }
}
