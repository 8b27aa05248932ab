using System.Reflection;
using System.Runtime.CompilerServices;
using Q4Gen.Kernels;
using Q4Gen.Packing;

namespace Q4Gen.Testing;

/// <summary>
/// Runs the kernels of a layer on random weights and inputs, on every instruction set that this processor has, and
/// compares them with the definition in float64 and with the scalar kernel. Any test framework will do: a kernel that is
/// wrong is an exception.
/// </summary>
public static class KernelOracle
{
    /// <summary>What an exact kernel may be off, in units of Σ|w·x| + |b|: some float32 roundings.</summary>
    private const double ExactElementTolerance = 4e-7;

    /// <summary>What all outputs of an exact kernel may be off together, relative to their norm.</summary>
    private const double ExactNormTolerance = 1e-6;

    /// <summary>What rounding activations to 8 bits may cost, relative to the norm of the outputs.</summary>
    private const double Int8NormTolerance = 0.02;

    /// <summary>One row, few, as many as every kind of kernel and tile takes, and remainders.</summary>
    private static readonly int[] s_rowCounts = [1, 2, 3, 4, 5, 7, 12, 13, 24, 33];

    /// <summary>Checks the kernels of an annotated class on weights and inputs of seed 1.</summary>
    /// <inheritdoc cref="Check{TLayer}(int)"/>
    public static OracleReport Check<TLayer>()
        where TLayer : Linear4Bit =>
        Check<TLayer>(seed: 1);

    /// <summary>Checks the kernels of an annotated class.</summary>
    /// <typeparam name="TLayer">A class with <c>[Linear4Bit]</c>.</typeparam>
    /// <param name="seed">Of the random weights and inputs.</param>
    /// <returns>How far each kernel is off, and which there are that this processor cannot run.</returns>
    /// <exception cref="KernelOracleException">A kernel is wrong.</exception>
    /// <exception cref="ArgumentException">The class has no attribute.</exception>
    public static OracleReport Check<TLayer>(int seed)
        where TLayer : Linear4Bit
    {
        RuntimeHelpers.RunModuleConstructor(typeof(TLayer).Module.ModuleHandle);
        Linear4BitAttribute attribute = typeof(TLayer).GetCustomAttribute<Linear4BitAttribute>()
            ?? throw new ArgumentException($"{typeof(TLayer).Name} has no [Linear4Bit]; give an annotated class, or call CheckAll with the assembly of a model.");
        return Check(ShapeOf(attribute), attribute.Precision, attribute.Bias, attribute.Affine, seed: seed);
    }

    /// <summary>Checks the kernels of all annotated layers of a program, classes and properties, each shape once.</summary>
    /// <param name="assembly">The program.</param>
    /// <param name="seed">Of the random weights and inputs.</param>
    /// <exception cref="KernelOracleException">A kernel is wrong.</exception>
    /// <exception cref="ArgumentException">The program has no kernels.</exception>
    public static IReadOnlyList<OracleReport> CheckAll(Assembly assembly, int seed = 1)
    {
        ArgumentNullException.ThrowIfNull(assembly);
        Type[] types = assembly.GetTypes();
        HashSet<Linear4BitShape> affine = [.. types.SelectMany(Declarations).Where(static layer => layer.Affine).Select(ShapeOf)];
        OracleReport[] reports =
        [
            .. types.Where(static type => type.IsSubclassOf(typeof(KernelFamily)) && type.Namespace == "Q4Gen.Generated")
                .OrderBy(static type => type.Name, StringComparer.Ordinal)
                .Select(KernelSnapshots.Instance)
                .Select(family => Check(family, hasBias: true, affine.Contains(family.Shape), hasInputOrder: false, seed)),
        ];
        return reports.Length > 0 ? reports : throw new ArgumentException(
            $"{assembly.GetName().Name} has no kernels; annotate layers with [Linear4Bit], and reference Q4Gen with its analyzers.", nameof(assembly));
    }

    /// <summary>Checks the kernels that layers of a shape run on in this program, generated or generic.</summary>
    /// <param name="shape">The shape.</param>
    /// <param name="precision">What they do with activations.</param>
    /// <param name="hasBias">Whether there is a bias.</param>
    /// <param name="isAffine">Whether there are offsets.</param>
    /// <param name="hasInputOrder">Whether columns are in another order than input features.</param>
    /// <param name="seed">Of the random weights and inputs.</param>
    /// <exception cref="KernelOracleException">A kernel is wrong.</exception>
    public static OracleReport Check(
        Linear4BitShape shape, Linear4BitPrecision precision = Linear4BitPrecision.Exact, bool hasBias = true, bool isAffine = false, bool hasInputOrder = false, int seed = 1) =>
        Check(KernelRegistry.Find(shape, precision), hasBias, isAffine, hasInputOrder, seed);

    private static IEnumerable<Linear4BitAttribute> Declarations(Type type) => type
        .GetProperties(BindingFlags.Instance | BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
        .Prepend<MemberInfo>(type)
        .Select(static member => member.GetCustomAttribute<Linear4BitAttribute>(inherit: false))
        .OfType<Linear4BitAttribute>();

    private static Linear4BitShape ShapeOf(Linear4BitAttribute attribute) => new(attribute.In, attribute.Out, attribute.Group);

    private static OracleReport Check(KernelFamily family, bool hasBias, bool isAffine, bool hasInputOrder, int seed)
    {
        Linear4BitShape shape = family.Shape;
        var random = new Random(seed);
        var weight = new byte[shape.WeightBytes];
        random.NextBytes(weight);
        Half[] scales = [.. Enumerable.Range(0, (int)shape.ScaleCount).Select(_ => (Half)((random.NextSingle() + 0.1f) * (random.Next(2) * 0.02f - 0.01f)))];
        float[] bias = [.. Enumerable.Range(0, hasBias ? shape.Out : 0).Select(_ => random.NextSingle() - 0.5f)];
        float[] x = [.. Enumerable.Range(0, s_rowCounts.Max() * shape.In).Select(_ => random.NextSingle() * 2 - 1)];
        Half[] offsets = [.. Enumerable.Range(0, isAffine ? (int)shape.ScaleCount : 0).Select(_ => (Half)(random.NextSingle() * 0.1f - 0.05f))];
        int[] order = [.. Enumerable.Range(0, hasInputOrder ? shape.In : 0)];
        random.Shuffle(order);
        PackedWeights packed = PanelPacker.Pack(shape, weight, scales, bias, offsets, order);
        using var holder = new Linear4Bit(family.Create(KernelIsa.Scalar)!, packed);
        double[] expected = Linear4BitReference.Forward(shape, weight, scales, bias, x, offsets, order);
        double[] magnitude = Magnitudes(shape, weight, scales, offsets, order, bias, x);
        float[] scalar = Run(holder, x);
        var checks = new List<OracleCheck>();
        var skipped = new List<KernelIsa>();
        foreach (KernelIsa isa in Enum.GetValues<KernelIsa>())
        {
            if (family.Create(isa) is not { } kernel)
            {
                skipped.Add(isa);
                continue;
            }

            using var layer = new Linear4Bit(kernel, packed);
            checks.AddRange(s_rowCounts.Select(rows => Measure(kernel, rows, Run(layer, x.AsSpan(0, rows * shape.In)), scalar, expected, magnitude)));
        }

        var report = new OracleReport(shape, family.Precision, seed, checks, skipped);
        string? failure = checks.Select(check => Failure(family.Precision, check)).FirstOrDefault(static text => text is not null);
        return failure is null ? report : throw new KernelOracleException($"{failure}\n\n{report}", report);
    }

    private static string? Failure(Linear4BitPrecision precision, OracleCheck check)
    {
        // Written so that NaN fails.
        bool isRight = precision == Linear4BitPrecision.Exact
            ? check.MaxError <= ExactElementTolerance && check.RelativeError <= ExactNormTolerance
            : check is { HasScalarBits: true, RelativeError: <= Int8NormTolerance };
        return isRight ? null
            : precision == Linear4BitPrecision.Exact
                ? $"{check.Kernel} is wrong for {check.Rows} rows: an output is off by {check.MaxError:E1} of its terms (at most {ExactElementTolerance:E0}), all by {check.RelativeError:E1} of their norm (at most {ExactNormTolerance:E0})."
                : $"{check.Kernel} is wrong for {check.Rows} rows: {(check.HasScalarBits ? "" : "other bits than the scalar kernel, ")}off by {check.RelativeError:E1} of the outputs' norm (at most {Int8NormTolerance:E0}).";
    }

    private static OracleCheck Measure(Linear4BitKernel kernel, int rows, float[] y, float[] scalar, double[] expected, double[] magnitude)
    {
        double worst = 0, error = 0, norm = 0;
        for (int i = 0; i < y.Length; i++)
        {
            double difference = Math.Abs(y[i] - expected[i]);
            worst = difference <= worst * magnitude[i] ? worst : difference / magnitude[i];
            error += difference * difference;
            norm += expected[i] * expected[i];
        }

        return new OracleCheck(
            kernel.Isa, kernel.Name, rows, worst, Math.Sqrt(error / Math.Max(norm, double.Epsilon)), y.AsSpan().SequenceEqual(scalar.AsSpan(0, y.Length)));
    }

    /// <summary>Σ(|w| + |offset|)·|x| + |b| of each output, to which rounding errors are in proportion.</summary>
    private static double[] Magnitudes(Linear4BitShape shape, byte[] weight, Half[] scales, Half[] offsets, int[] order, float[] bias, float[] x)
    {
        float[] w = Linear4BitReference.Dequantize(shape, weight, scales);
        var magnitudes = new double[x.Length / shape.In * shape.Out];
        for (int i = 0; i < magnitudes.Length; i++)
        {
            (int row, int output) = Math.DivRem(i, shape.Out);
            double sum = bias.Length == 0 ? 0 : Math.Abs(bias[output]);
            for (int k = 0; k < shape.In; k++)
            {
                double offset = offsets.Length == 0 ? 0 : Math.Abs((double)offsets[output * shape.Groups + k / shape.Group]);
                sum += Math.Abs((double)x[row * shape.In + (order.Length == 0 ? k : order[k])]) * (Math.Abs(w[output * shape.In + k]) + offset);
            }

            magnitudes[i] = sum;
        }

        return magnitudes;
    }

    private static float[] Run(Linear4Bit layer, ReadOnlySpan<float> x)
    {
        var y = new float[x.Length / layer.In * layer.Out];
        layer.Forward(x, y);
        return y;
    }
}
