using Q4Gen.Kernels;
using Q4Gen.Testing;

namespace Q4Gen.Tests.Kernels;

/// <summary>Exact kernels that take x in fixed point: its corners, on the processor and, where it lacks AVX2, in software.</summary>
[Trait(Emulated.Trait, Emulated.Never)] // The compiler takes minutes there, and kernels in fixed point are for x86.
public sealed class FixedPointTests : IDisposable
{
    private static readonly Linear4BitShape[] s_shapes = [new(2, 1, 8), new(24, 80, 8), new(40, 48, 40), new(130, 33, 64), new(520, 40, 512), new(352, 48, 328)];

    private static readonly int[] s_rowCounts = [1, 2, 3];

    private readonly CompiledKernels _compiled = CompiledKernels.Compile(s_shapes, inSoftware: true, HarnessOptions.Default);

    public void Dispose() => _compiled.Dispose();

    /// <summary>All nibbles 15 or all 0 and digits that are all −128 or all 127: the largest sums there are, in every lane.</summary>
    [Theory]
    [InlineData(0xFF, 1f)]
    [InlineData(0xFF, -1f)]
    [InlineData(0x00, 1f)]
    [InlineData(0x00, -1f)]
    public void NothingSaturates(byte weight, float sign)
    {
        foreach (Linear4BitShape shape in s_shapes)
        {
            LayerData data = LayerData.Random(shape, seed: 1, bias: false);
            data.Weight.AsSpan().Fill(weight);
            data.Scales.AsSpan().Fill(Half.One);
            float[] x = new float[3 * shape.In];
            for (int i = 0; i < x.Length; i++)
            {
                // One column of each eight sets the unit; the others are whole numbers of units with the digits wanted.
                x[i] = i % shape.In % 8 == 5 ? 0x7F7F00 : sign * (i % 3 == 0 ? 0x7F7F7F - 0x7F : 0x808080 - 0x10000);
            }

            Expected expected = data.Reference(x);
            KernelChecks.Check(data, Kernel(shape), s_rowCounts, x, (y, what) => expected.Check(y, what, checkNorm: false));
        }
    }

    /// <summary>What is no number, or infinite, comes out as float32 would have it, and leaves other rows alone.</summary>
    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void WhatIsNotFinite(float value)
    {
        foreach (Linear4BitShape shape in s_shapes)
        {
            LayerData data = LayerData.Random(shape, seed: 2);
            float[] x = LayerData.RandomInput(3 * shape.In, seed: 3);
            x[2 * shape.In + shape.In / 2] = value;
            float[] clean = [.. x];
            clean[2 * shape.In + shape.In / 2] = 0;
            Expected expected = data.Reference(x), others = data.Reference(clean);
            KernelChecks.CheckPlain(data, Kernel(shape), x, (y, what) =>
            {
                for (int i = 0; i < y.Length; i++)
                {
                    if (i / shape.Out == 2)
                    {
                        // Infinity times a weight of zero is no number, and neither is a sum with one.
                        Assert.Equal(double.IsNaN(expected.Y[i]) ? float.NaN : (float)expected.Y[i], y[i]);
                    }
                    else
                    {
                        Assert.True(Math.Abs(y[i] - others.Y[i]) <= 4e-7 * others.Magnitude[i], what);
                    }
                }
            });
        }
    }

    /// <summary>Numbers so small that their unit would lose precision count as zero; the smallest that do not are exact.</summary>
    [Fact]
    public void TheSmallest()
    {
        foreach (Linear4BitShape shape in s_shapes)
        {
            LayerData data = LayerData.Random(shape, seed: 2, bias: false);
            data.Scales.AsSpan().Fill(Half.One);
            float[] x = new float[3 * shape.In];
            x.AsSpan().Fill(MathF.ScaleB(1, -103));
            Expected expected = data.Reference(x);
            KernelChecks.CheckPlain(data, Kernel(shape), x, (y, what) => expected.Check(y, what, checkNorm: false));
            x.AsSpan().Fill(MathF.ScaleB(1, -104));
            KernelChecks.CheckPlain(data, Kernel(shape), x, (y, what) => Assert.All(y.ToArray(), static value => Assert.Equal(0, value)));
        }
    }

    /// <summary>A column of any size costs the others nothing, even in outputs whose weights vanish there.</summary>
    [Theory]
    [InlineData(1e2f)]
    [InlineData(1e6f)]
    [InlineData(1e30f)]
    public void AColumnThatSticksOut(float value)
    {
        foreach (Linear4BitShape shape in s_shapes)
        {
            LayerData data = LayerData.Random(shape, seed: 2);
            float[] x = LayerData.RandomInput(3 * shape.In, seed: 3);
            for (int column = Math.Min(5, shape.In - 1); column < shape.In; column += shape.Group)
            {
                for (int row = 0; row < 3; row++)
                {
                    x[row * shape.In + column] = value;
                }

                // Every other output does not see it.
                for (int output = 0; output < shape.Out; output += 2)
                {
                    ref byte pair = ref data.Weight[(output * shape.In + column) / 2];
                    pair = (byte)(column % 2 == 0 ? pair & 0xF0 | 0x08 : pair & 0x0F | 0x80);
                }
            }

            Expected expected = data.Reference(x);
            KernelChecks.Check(data, Kernel(shape), s_rowCounts, x, (y, what) => expected.Check(y, what, checkNorm: false));
        }
    }

    /// <summary>Numbers close to what a sum can hold; no digit and no unit overflows before.</summary>
    [Fact]
    public void TheLargest()
    {
        foreach (Linear4BitShape shape in s_shapes)
        {
            LayerData data = LayerData.Random(shape, seed: 2, bias: false);
            data.Scales.AsSpan().Fill((Half)(1f / 16384));
            float[] x = LayerData.RandomInput(3 * shape.In, seed: 4);
            x.AsSpan().Replace(0, 1);
            for (int i = 0; i < x.Length; i++)
            {
                x[i] = MathF.CopySign(float.MaxValue / (16 * shape.In), x[i]) / (i % 2 + 1);
            }

            Expected expected = data.Reference(x);
            KernelChecks.CheckPlain(data, Kernel(shape), x, (y, what) => expected.Check(y, what, checkNorm: false));
        }
    }

    private Linear4BitKernel Kernel(Linear4BitShape shape) => _compiled.Family(shape).Create(KernelIsa.Avx2)!;
}
