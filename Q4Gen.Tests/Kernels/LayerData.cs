using System.Numerics.Tensors;

namespace Q4Gen.Tests.Kernels;

/// <summary>What the scales of a test layer look like.</summary>
public enum ScaleKind
{
    /// <summary>Around 0.01, of either sign.</summary>
    Mixed,

    /// <summary>Some zero, some the smallest and largest numbers that F16 has below its normal range, some −0.</summary>
    Degenerate,
}

/// <summary>What the activations of a test look like.</summary>
public enum InputKind
{
    /// <summary>Uniform in −1 … 1.</summary>
    Centred,

    /// <summary>Uniform in 9 … 11, as activations before a norm can be.</summary>
    LargeMean,

    /// <summary>Around 10²⁴.</summary>
    Huge,

    /// <summary>Around 10⁻³⁰.</summary>
    Tiny,

    /// <summary>Mostly zeros of either sign.</summary>
    Sparse,

    /// <summary>One column in 40, on average, a hundred thousand times as large as the others.</summary>
    Outliers,

    /// <summary>From 10⁻⁶ to 10⁶, as many of each size.</summary>
    ManySizes,

    /// <summary>Zeros but for two columns.</summary>
    TwoColumns,
}

/// <summary>A layer as files have it, and its outputs in float64: the specification.</summary>
internal sealed record LayerData(Linear4BitShape Shape, byte[] Weight, Half[] Scales, float[] Bias)
{
    public static LayerData Random(Linear4BitShape shape, int seed, bool bias = true, ScaleKind scales = ScaleKind.Mixed)
    {
        var random = new Random(seed);
        var weight = new byte[shape.WeightBytes];
        random.NextBytes(weight);
        var scale = new Half[shape.ScaleCount];
        for (int i = 0; i < scale.Length; i++)
        {
            scale[i] = scales == ScaleKind.Mixed || i % 4 == 3
                ? (Half)((random.NextSingle() + 0.1f) * (random.Next(2) == 0 ? 0.01f : -0.01f))
                : Degenerate(random);
        }

        var biases = new float[bias ? shape.Out : 0];
        for (int i = 0; i < biases.Length; i++)
        {
            biases[i] = random.NextSingle() - 0.5f;
        }

        return new LayerData(shape, weight, scale, biases);
    }

    public static float[] RandomInput(int length, int seed, InputKind kind = InputKind.Centred)
    {
        var random = new Random(seed);
        var x = new float[length];
        for (int i = 0; i < length; i++)
        {
            float centred = random.NextSingle() * 2 - 1;
            x[i] = kind switch
            {
                InputKind.Centred => centred,
                InputKind.LargeMean => 10 + centred,
                InputKind.Huge => centred * 1e24f,
                InputKind.Tiny => centred * 1e-30f,
                InputKind.Outliers => random.Next(40) == 0 ? centred * 1e5f : centred,
                InputKind.ManySizes => MathF.CopySign(MathF.Pow(10, random.NextSingle() * 12 - 6), centred),
                InputKind.TwoColumns => i is 3 or 8 ? centred : 0,
                InputKind.Sparse => random.Next(8) switch { 0 => centred, 1 => -0f, _ => 0f },
                _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, null),
            };
        }

        return x;
    }

    public Linear4Bit CreateLayer() => new(Shape.In, Shape.Out, Shape.Group, Weight, Scales, Bias);

    /// <summary>nibble − 8 of each column of a row.</summary>
    public double[] UnpackNibbles(int output)
    {
        var row = new double[Shape.In];
        for (int column = 0; column < Shape.In; column++)
        {
            int pair = Weight[(long)output * (Shape.In / 2) + column / 2];
            row[column] = (column % 2 == 0 ? pair & 0xF : pair >> 4) - 8;
        }

        return row;
    }

    /// <summary>w[o, k] = (nibble − 8) · scale, exact.</summary>
    public double[] UnpackRow(int output)
    {
        var row = new double[Shape.In];
        for (int column = 0; column < Shape.In; column++)
        {
            int pair = Weight[(long)output * (Shape.In / 2) + column / 2];
            int nibble = column % 2 == 0 ? pair & 0xF : pair >> 4;
            row[column] = (nibble - 8) * (double)Scales[(long)output * Shape.Groups + column / Shape.Group];
        }

        return row;
    }

    /// <summary>y = x · Wᵀ + b in float64, and Σ|w·x| + |b|, to which rounding errors are in proportion.</summary>
    /// <param name="x">Rows of x.</param>
    /// <param name="leastSteps">How many steps of its scale a weight counts as in that sum where it is less.</param>
    public Expected Reference(ReadOnlySpan<float> x, int leastSteps = 0)
    {
        int rows = x.Length / Shape.In;
        var wide = new double[x.Length];
        TensorPrimitives.ConvertChecked(x, wide);
        var magnitudes = new double[x.Length];
        TensorPrimitives.Abs<double>(wide, magnitudes);
        var expected = new Expected(Shape.Out, new double[rows * Shape.Out], new double[rows * Shape.Out]);
        for (int output = 0; output < Shape.Out; output++)
        {
            double[] w = UnpackRow(output);
            double bias = Bias.Length == 0 ? 0 : Bias[output];
            var absolute = new double[w.Length];
            TensorPrimitives.Abs<double>(w, absolute);
            for (int column = 0; column < w.Length && leastSteps > 0; column++)
            {
                absolute[column] = Math.Max(absolute[column], leastSteps * Math.Abs((double)Scales[(long)output * Shape.Groups + column / Shape.Group]));
            }

            for (int row = 0; row < rows; row++)
            {
                int at = row * Shape.Out + output;
                expected.Y[at] = TensorPrimitives.Dot(w, wide.AsSpan(row * Shape.In, Shape.In)) + bias;
                expected.Magnitude[at] =
                    TensorPrimitives.Dot(absolute, magnitudes.AsSpan(row * Shape.In, Shape.In)) + Math.Abs(bias);
            }
        }

        return expected;
    }

    private static Half Degenerate(Random random) => random.Next(5) switch
    {
        0 => (Half)0f,
        1 => Half.NegativeZero,
        2 => Half.Epsilon,
        3 => -Half.Epsilon,
        _ => BitConverter.UInt16BitsToHalf((ushort)(random.Next(1, 0x3FF) | (random.Next(2) << 15))),
    };
}

/// <summary>Outputs in float64, row-major, and the magnitude of what was summed for each.</summary>
internal sealed record Expected(int Out, double[] Y, double[] Magnitude)
{
    private const double NormTolerance = 1e-6;
    private const double ElementTolerance = 4e-7;

    /// <summary>Fewer outputs can cancel by chance, and a relative error then says nothing.</summary>
    private const int MinNormElements = 16;

    /// <summary>
    /// Asserts that outputs are as exact as float32 sums can be: each within 4·10⁻⁷ of the magnitude of its terms, and
    /// all together within 10⁻⁶ of their norm.
    /// </summary>
    /// <param name="y">The first rows of the output.</param>
    /// <param name="what">What computed it, for the message.</param>
    /// <param name="checkNorm">False where terms cancel by construction.</param>
    public void Check(ReadOnlySpan<float> y, string what, bool checkNorm = true)
    {
        double error = 0, norm = 0;
        for (int i = 0; i < y.Length; i++)
        {
            double difference = Math.Abs(y[i] - Y[i]);

            // Written so that NaN fails.
            if (!(difference <= ElementTolerance * Magnitude[i]))
            {
                Assert.Fail(
                    $"{what}: y[{i / Out}, {i % Out}] is {y[i]:R}, but float64 gives {Y[i]:R}: off by {difference / Magnitude[i]:E2} of Σ|w·x| + |b|.");
            }

            error += difference * difference;
            norm += Y[i] * Y[i];
        }

        if (checkNorm && y.Length >= MinNormElements && !(Math.Sqrt(error) <= NormTolerance * Math.Sqrt(norm)))
        {
            Assert.Fail($"{what}: the relative error of {y.Length} outputs is {Math.Sqrt(error / norm):E2}, above {NormTolerance:E0}.");
        }
    }
}
