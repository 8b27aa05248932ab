using System.Collections.Concurrent;
using System.Globalization;
using Q4Gen.Tests.Runtime;
using Storyteller.Decoding;

namespace Q4Gen.Tests.Examples;

/// <summary>
/// What each way to quantise costs in perplexity, computed with plain float32 weights that were quantised and
/// dequantised: the figures of docs/quantizing.md.
/// </summary>
public sealed class QuantizationPerplexityTests
{
    private static readonly int[] s_groups = [32, 64, 128];

    // In the order of the page's columns.
    private static readonly Way[] s_ways =
    [
        new(QuantizationMethod.SignedMax, Affine: false),
        new(QuantizationMethod.Search, Affine: false),
        new(QuantizationMethod.Search, Affine: false, Weighted: true),
        new(QuantizationMethod.SignedMax, Affine: true),
        new(QuantizationMethod.Search, Affine: true),
        new(QuantizationMethod.Search, Affine: true, Weighted: true),
    ];

    [Theory]
    [InlineData("stories260K", 3.533, 3.879, 4.022, 4.046)]
    [InlineData("babyllama-tok105", 2.026, 2.109, 2.132, 2.150)]
    [InlineData("Storyteller", null)]
    public void Search_costs_no_more_than_signed_max(string name, double? dense, params double[] signedMax)
    {
        PerplexityModel model = PerplexityModel.Open(name);
        float[][] importance = model.CollectImportance();
        double exact = model.Score(Dense).Perplexity;
        (int Group, Way Way)[] cells = [.. from size in s_groups from way in s_ways select (size, way)];
        var measured = new ConcurrentDictionary<(int Group, Way Way), double>();
        Parallel.ForEach(cells, cell => measured[cell] = model.Score(Quantized(cell.Group, cell.Way, importance)).Perplexity);

        string[] lines = [.. s_groups.Select(size => Line([$"{name}, g{size}", Format(exact), .. s_ways.Select(way => Format(measured[(size, way)]))]))];
        TestContext.Current.TestOutputHelper?.WriteLine(string.Join('\n', lines));

        foreach (int size in s_groups)
        {
            foreach (Way way in s_ways.Where(way => way.Method == QuantizationMethod.Search))
            {
                double simple = measured[(size, way with { Method = QuantizationMethod.SignedMax, Weighted = false })];
                Assert.True(measured[(size, way)] <= simple * 1.002, $"{name}, groups of {size}, {way}: {measured[(size, way)]:F4}, but {simple:F4} without the search.");
            }
        }

        if (dense is { } reference)
        {
            double[] figures = [exact, .. s_groups.Select(size => measured[(size, s_ways[0])])];
            Assert.All(figures.Zip([reference, .. signedMax]), pair => Assert.InRange(pair.First, pair.Second * 0.998, pair.Second * 1.002));
        }

        if (Repository.Root is { } root)
        {
            AssertOnPage(lines, File.ReadAllLines(Path.Combine(root, "docs", "quantizing.md")));
        }
    }

    /// <summary>Every line is on the page, with figures that are the same but for how a processor sums.</summary>
    private static void AssertOnPage(string[] lines, string[] page)
    {
        foreach (string line in lines)
        {
            string[] cells = line.Split('|', StringSplitOptions.TrimEntries);
            string? shown = Array.Find(page, other => other.StartsWith($"| {cells[1]} |", StringComparison.Ordinal));
            Assert.True(shown is not null, $"docs/quantizing.md has no line\n{line}");
            IEnumerable<(double, double)> figures = Figures(cells).Zip(Figures(shown.Split('|', StringSplitOptions.TrimEntries)));
            Assert.True(figures.All(pair => Math.Abs(pair.Item1 - pair.Item2) <= 0.003), $"docs/quantizing.md shows\n{shown}\nbut measured was\n{line}");
        }

        static IEnumerable<double> Figures(string[] cells) => cells[2..^1].Select(cell => double.Parse(cell, CultureInfo.InvariantCulture));
    }

    private static string Line(string[] cells) => $"| {string.Join(" | ", cells)} |";

    private static string Format(double perplexity) => perplexity.ToString("F3", CultureInfo.InvariantCulture);

    private static LinearOp Dense(float[] weight, int inFeatures) => new PerplexityLinear(weight, inFeatures).Forward;

    private static Func<float[], int, LinearOp> Quantized(int group, Way way, float[][] importances)
    {
        int next = 0;
        return (weight, inFeatures) =>
        {
            float[] importance = importances[next++];
            QuantizedMatrix matrix = Linear4BitQuantizer.Quantize(
                WeightTensor.FromSingle(weight, weight.Length / inFeatures, inFeatures),
                new QuantizationOptions { Group = group, Method = way.Method, Affine = way.Affine, Importance = way.Weighted ? _ => importance : null },
                TestContext.Current.CancellationToken);
            return Dense([.. QuantizerSamples.Dequantize(matrix).Select(value => (float)value)], inFeatures);
        };
    }

    private sealed record Way(QuantizationMethod Method, bool Affine, bool Weighted = false);
}
