using CsCheck;

namespace Q4Gen.Tests.Runtime;

/// <summary>Matrices and importances of many kinds for the quantiser, and what comes back of them.</summary>
internal static class QuantizerSamples
{
    /// <summary>Distributions, constants, extremes of F16 and what lies below it.</summary>
    public static readonly string[] Kinds =
    [
        "normal", "uniform", "outliers", "one-sided outliers", "all negative", "constant", "nearly constant", "zeros", "half zeros",
        "two values", "denormal", "below F16", "largest",
    ];

    public static readonly string[] Importances = ["none", "uniform", "some zeros", "wide", "whole groups zero"];

    /// <summary>A shape, a matrix of some kind, and an importance of some kind or none.</summary>
    public static readonly Gen<(Linear4BitShape Shape, string Kind, float[] W, float[]? U)> Matrices =
        from shape in Linear4BitSample.Shapes
        from kind in Gen.Int[0, Kinds.Length - 1]
        from importance in Gen.Int[0, Importances.Length - 1]
        from seed in Gen.Int[1, 1_000_000]
        select (
            shape,
            $"{Kinds[kind]}, importance {Importances[importance]}, seed {seed}",
            Matrix(shape, Kinds[kind], seed),
            Importance(shape, Importances[importance], seed));

    public static QuantizedMatrix Quantize(
        Linear4BitShape shape, float[] w, QuantizationMethod method, bool affine = false, float[]? importance = null) =>
        Linear4BitQuantizer.Quantize(
            WeightTensor.FromSingle(w, shape.Out, shape.In),
            new QuantizationOptions { Group = shape.Group, Method = method, Affine = affine, Importance = importance is null ? null : _ => importance },
            TestContext.Current.CancellationToken);

    /// <summary><c>(nibble − 8) · scale + offset</c> in float64.</summary>
    public static double[] Dequantize(QuantizedMatrix matrix)
    {
        Linear4BitShape shape = matrix.Shape;
        var w = new double[shape.Out * shape.In];
        for (int i = 0; i < w.Length; i++)
        {
            int group = GroupOf(shape, i);
            double offset = matrix.Offsets4Bit is null ? 0 : (double)matrix.OffsetSpan[group];
            int pair = matrix.WeightSpan[i / 2];
            w[i] = ((i % 2 == 0 ? pair & 0xF : pair >> 4) - 8) * (double)matrix.ScaleSpan[group] + offset;
        }

        return w;
    }

    /// <summary>Σu(w − ŵ)² of each group.</summary>
    public static double[] GroupErrors(QuantizedMatrix matrix, float[] w, float[]? importance)
    {
        var errors = new double[matrix.Shape.ScaleCount];
        double[] back = Dequantize(matrix);
        for (int i = 0; i < w.Length; i++)
        {
            double error = w[i] - back[i];
            errors[GroupOf(matrix.Shape, i)] += (importance?[i % matrix.Shape.In] ?? 1.0) * error * error;
        }

        return errors;
    }

    public static int GroupOf(Linear4BitShape shape, int index) => index / shape.In * shape.Groups + index % shape.In / shape.Group;

    public static float[] Matrix(Linear4BitShape shape, string kind, int seed)
    {
        var random = new Random(seed);
        var w = new float[shape.Out * shape.In];
        for (int i = 0; i < w.Length; i++)
        {
            double normal = Normal(random);
            double outlier = random.Next(40) == 0 ? 10 : 1;
            w[i] = (float)(kind switch
            {
                "normal" => 0.02 * normal,
                "uniform" => random.NextDouble() - 0.5,
                "outliers" => normal * outlier,
                "one-sided outliers" => outlier == 1 ? normal : Math.Abs(normal) * outlier,
                "all negative" => -1 - Math.Abs(normal),
                "constant" => 0.1 * (1 + GroupOf(shape, i) % 7),
                "nearly constant" => 100 + 0.03 * normal,
                "zeros" => 0,
                "half zeros" => random.Next(2) == 0 ? 0 : normal,
                "two values" => random.Next(2) == 0 ? -0.7 : 0.4,
                "denormal" => 3e-7 * normal,
                "below F16" => 1e-38 * normal,
                _ => Math.Clamp(250_000 * normal, -524_159, 524_159),
            });
        }

        return w;
    }

    private static float[]? Importance(Linear4BitShape shape, string kind, int seed)
    {
        if (kind == "none")
        {
            return null;
        }

        var random = new Random(seed + 1);
        var u = new float[shape.In];
        for (int i = 0; i < u.Length; i++)
        {
            u[i] = kind switch
            {
                "uniform" => random.NextSingle(),
                "some zeros" => random.Next(3) == 0 ? 0 : random.NextSingle(),
                "wide" => MathF.Pow(10, random.Next(-36, 36)),
                _ => i / shape.Group % 2 == 1 ? 0 : random.NextSingle(),
            };
        }

        // One column has to matter.
        u[0] = 1;
        return u;
    }

    private static double Normal(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(random.NextDouble() * Math.Tau);
}
