using CsCheck;

namespace Q4Gen.Tests.Runtime;

/// <summary>A random layer as a weight file holds it; the same for the same seed.</summary>
internal sealed record Linear4BitSample(Linear4BitShape Shape, byte[] Weight, Half[] Scales, float[] Bias)
{
    /// <summary>Shapes with whole and broken panels, steps and groups, and groups that no step ends with.</summary>
    public static readonly Gen<Linear4BitShape> Shapes =
        from half in Gen.OneOf<int>(Gen.Int[1, 20], Gen.Int[1, 200])
        from outFeatures in Gen.OneOf<int>(Gen.Int[1, 40], Gen.Int[1, 120])
        from grouping in Gen.OneOf<int>(Gen.OneOf(8, 32, 64, 128, 1024, int.MaxValue), Gen.Int[1, 80])
        select new Linear4BitShape(2 * half, outFeatures, grouping);

    public static Linear4BitSample Create(Linear4BitShape shape, int seed = 1, bool bias = false)
    {
        var random = new Random(seed);
        var weight = new byte[shape.WeightBytes];
        random.NextBytes(weight);
        return new Linear4BitSample(
            shape,
            weight,
            Fill(new Half[shape.ScaleCount], () => (Half)(random.NextSingle() * 0.04f - 0.02f)),
            Fill(new float[bias ? shape.Out : 0], () => random.NextSingle() - 0.5f));
    }

    /// <summary>The first <paramref name="count"/> values of a generator, in every run the same.</summary>
    public static IEnumerable<T> Take<T>(Gen<T> gen, int count, ulong seed = 20261122)
    {
        var random = new PCG(1, seed);
        for (int i = 0; i < count; i++)
        {
            yield return gen.Generate(random, null, out _);
        }
    }

    public static float[] Input(int length, int seed = 2)
    {
        var random = new Random(seed);
        return Fill(new float[length], () => random.NextSingle() * 2 - 1);
    }

    public Linear4Bit Layer() => new(Shape.In, Shape.Out, Shape.Group, Weight, Scales, Bias);

    /// <summary>Asserts that y is x · Wᵀ + b, each output within <paramref name="tolerance"/> of the root mean square of all.</summary>
    public void AssertForward(ReadOnlySpan<float> x, ReadOnlySpan<float> y, double tolerance)
    {
        double[] expected = Linear4BitReference.Forward(Shape, Weight, Scales, Bias, x);
        Assert.Equal(expected.Length, y.Length);
        double scale = Math.Sqrt(expected.Sum(value => value * value) / expected.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            // Written so that NaN fails.
            if (!(Math.Abs(y[i] - expected[i]) <= tolerance * scale))
            {
                Assert.Fail($"{Shape}: output {i} is {y[i]:R} where float64 gives {expected[i]:R}.");
            }
        }
    }

    private static T[] Fill<T>(T[] array, Func<T> next)
    {
        for (int i = 0; i < array.Length; i++)
        {
            array[i] = next();
        }

        return array;
    }
}
