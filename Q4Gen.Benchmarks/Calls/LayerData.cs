using System.CommandLine;
using System.Globalization;
using Q4Gen.Kernels;

namespace Q4Gen.Benchmarks.Calls;

/// <summary>Layers with any weights, for measurements where values do not matter.</summary>
internal static class LayerData
{
    /// <summary>A layer with random nibbles and equal scales, on the best kernel there is.</summary>
    public static unsafe Linear4Bit Create(Linear4BitShape shape, Linear4BitPrecision precision = Linear4BitPrecision.Exact)
    {
        var weights = new PackedWeights(shape, hasBias: false);
        new Random(1).NextBytes(new Span<byte>(weights.Words(0), checked((int)shape.PackedWeightBytes)));
        new Span<short>(weights.Scales(0), checked((int)(shape.PackedScaleBytes / sizeof(short)))).Fill(BitConverter.HalfToInt16Bits((Half)0.01f));
        return new Linear4Bit(KernelRegistry.Find(shape, precision).Best, weights);
    }

    /// <summary>Activations from −1 to 1.</summary>
    public static float[] Activations(int count)
    {
        var random = new Random(2);
        var x = new float[count];
        foreach (ref float value in x.AsSpan())
        {
            value = random.NextSingle() * 2 - 1;
        }

        return x;
    }

    /// <summary>An option that takes a number from <paramref name="min"/> to <paramref name="max"/>.</summary>
    public static Option<int> Number(string name, string description, int standard, int min, int max)
    {
        var option = new Option<int>(name) { Description = description, DefaultValueFactory = _ => standard };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1
                && !(int.TryParse(result.Tokens[0].Value, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value >= min && value <= max))
            {
                result.AddError($"{name} is '{result.Tokens[0].Value}', but must be a number from {min} to {max}.");
            }
        });
        return option;
    }

    /// <summary>The option that chooses between kernels of one shape.</summary>
    public static Option<Linear4BitPrecision> Precision() => new("--precision")
    {
        Description = "Which kernels.",
        DefaultValueFactory = static _ => Linear4BitPrecision.Exact,
        CustomParser = static result =>
        {
            string text = result.Tokens[0].Value;
            Linear4BitPrecision[] known = [Linear4BitPrecision.Exact, Linear4BitPrecision.Int8Activations];
            int index = Array.FindIndex(known, precision => precision.ToString().Equals(text, StringComparison.OrdinalIgnoreCase));
            if (index < 0)
            {
                result.AddError($"--precision is '{text}', but must be {string.Join(" or ", known)}.");
                return default;
            }

            return known[index];
        },
    };

    /// <summary>Prints a line in the invariant culture.</summary>
    public static void Line(FormattableString text) => Console.WriteLine(text.ToString(CultureInfo.InvariantCulture));
}
