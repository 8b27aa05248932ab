using CsCheck;

namespace Q4Gen.Tests.Kernels;

/// <summary>Random cases that are the same in every run.</summary>
internal static class Cases
{
    /// <summary>
    /// Shapes of every kind: steps and panels that end early, groups that end early, that are longer than the row, or
    /// that are no multiple of 8.
    /// </summary>
    public static readonly Gen<Linear4BitShape> Shape =
        from half in Gen.OneOf(Gen.Int[1, 40], Gen.Int[1, 300])
        from outFeatures in Gen.OneOf(Gen.Int[1, 40], Gen.Int[1, 150])
        from grouping in Gen.OneOf(
            Gen.Int[1, 16].Select(static steps => 8 * steps),
            Gen.Int[5, 10].Select(static bits => 1 << bits),
            Gen.Int[1, 100])
        select new Linear4BitShape(2 * half, outFeatures, grouping);

    /// <summary>The first <paramref name="count"/> cases of a stream of random numbers.</summary>
    public static IEnumerable<T> Take<T>(Gen<T> gen, int count, ulong seed)
    {
        var random = new PCG(1, seed);
        for (int i = 0; i < count; i++)
        {
            yield return gen.Generate(random, null, out _);
        }
    }
}
