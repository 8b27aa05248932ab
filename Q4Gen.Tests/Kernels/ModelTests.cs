using System.Runtime.Intrinsics;
using Hardware = System.Runtime.Intrinsics.X86;

namespace Q4Gen.Tests.Kernels;

/// <summary>The software models do what this processor does, where it has the instruction.</summary>
[Trait(Emulated.Trait, Emulated.Never)] // Compares with x86 processors.
public class ModelTests
{
    [Fact]
    public void Avx512()
    {
        Assert.SkipUnless(Hardware.Avx512F.IsSupported, "This processor has no AVX-512 to compare the model with.");
        var random = new Random(1);
        for (int i = 0; i < 100; i++)
        {
            Vector512<float> a = Vector512.Create<float>(Floats(random, 16)), b = Vector512.Create<float>(Floats(random, 16)), c = Vector512.Create<float>(Floats(random, 16));
            Assert.Equal(Hardware.Avx512F.FusedMultiplyAdd(a, b, c), Models.Avx512F.FusedMultiplyAdd(a, b, c));
            Assert.Equal(Hardware.Avx512F.PermuteVar16x32(a, b.AsInt32()), Models.Avx512F.PermuteVar16x32(a, b.AsInt32()));
        }
    }

    [Fact]
    public void Avx2AndFma()
    {
        Assert.SkipUnless(Hardware.Fma.IsSupported, "This processor has no FMA to compare the model with.");
        var random = new Random(1);
        for (int i = 0; i < 100; i++)
        {
            Vector256<float> a = Vector256.Create<float>(Floats(random, 8)), b = Vector256.Create<float>(Floats(random, 8)), c = Vector256.Create<float>(Floats(random, 8));
            Assert.Equal(Hardware.Fma.MultiplyAdd(a, b, c), Models.Fma.MultiplyAdd(a, b, c));
            Assert.Equal(Hardware.Avx.ConvertToVector256Single(a.AsInt32()), Models.Avx.ConvertToVector256Single(a.AsInt32()));
        }
    }

    /// <summary>The permute reads only the low four bits of an index.</summary>
    [Fact]
    public void PermuteIgnoresTheHighBitsOfAnIndex()
    {
        Vector512<float> values = Vector512.Create(0f, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        Assert.Equal(
            Vector512.Create(3f),
            Models.Avx512F.PermuteVar16x32(values, Vector512.Create(unchecked((int)0xFEDCBA93))));
    }

    private static float[] Floats(Random random, int count)
    {
        var values = new float[count];
        for (int i = 0; i < count; i++)
        {
            values[i] = (random.NextSingle() - 0.5f) * 1000;
        }

        return values;
    }
}
