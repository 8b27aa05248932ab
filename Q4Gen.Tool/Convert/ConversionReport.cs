using System.Globalization;
using Q4Gen.Import;
using Q4Gen.Tool.Console;
using Spectre.Console;

namespace Q4Gen.Tool.Convert;

/// <summary>What became of each layer; <c>--json</c> prints it as it is.</summary>
internal sealed record ConversionReport(
    string Input,
    ModelFormat Format,
    string Output,
    long InputBytes,
    long OutputBytes,
    double Seconds,
    IReadOnlyList<ConvertedLayerReport> Layers)
{
    public static ConversionReport Of(
        ModelFile model, string output, long inputBytes, TimeSpan elapsed, IReadOnlyDictionary<string, double> weighted) => new(
        model.Path,
        model.Format,
        output,
        inputBytes,
        new FileInfo(output).Length,
        elapsed.TotalSeconds,
        [.. model.Converted.Select(layer => ConvertedLayerReport.Of(layer, weighted))]);

    /// <summary>A row for each layer, those of the largest error last, so that they stand where one looks.</summary>
    public void Write(IAnsiConsole console)
    {
        bool isWeighted = Layers.Any(layer => layer.WeightedRmsError is not null);
        Table table = Tables.Create("layer", "from", "shape").RightAligned("relative RMS error", "largest error");
        if (isWeighted)
        {
            table.RightAligned("weighted");
        }

        foreach (ConvertedLayerReport layer in Layers)
        {
            string[] cells =
            [
                layer.Name,
                layer.From,
                $"{layer.In}→{layer.Out} g{layer.Group}{(layer.Affine ? " affine" : "")}{(layer.InputOrder ? " reordered" : "")}",
                layer.Lossless ? "lossless" : Number(layer.RelativeRmsError),
                layer.Lossless ? "0" : Number(layer.MaxAbsoluteError),
                .. isWeighted ? [layer.WeightedRmsError is { } w ? Number(w) : ""] : Array.Empty<string>(),
            ];
            table.Row(cells);
        }

        if (Layers.Count != 0)
        {
            console.Write(table);
        }

        int lossless = Layers.Count(layer => layer.Lossless);
        console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{Output}: {Layers.Count} layers in 4 bits, {lossless} of them lossless; {Sizes.Of(InputBytes)} became {Sizes.Of(OutputBytes)} in {Seconds:F1} s ({Sizes.Of((long)(InputBytes / Math.Max(Seconds, 1e-3)))}/s)."));
    }

    private static string Number(double value) => value.ToString("G3", CultureInfo.InvariantCulture);
}

/// <summary>One layer. Errors are against what the file meant: <c>√(Σ(w − ŵ)² / Σw²)</c>, and <c>max |w − ŵ|</c> in units of the weights.</summary>
internal sealed record ConvertedLayerReport(
    string Name,
    string From,
    int In,
    int Out,
    int Group,
    bool Affine,
    bool InputOrder,
    bool Lossless,
    double RelativeRmsError,
    double MaxAbsoluteError,
    double? WeightedRmsError)
{
    public static ConvertedLayerReport Of(ImportedLayer layer, IReadOnlyDictionary<string, double> weighted)
    {
        ImportError error = layer.Error ?? throw new InvalidOperationException($"{layer.Name} was not converted.");
        double? important = weighted.TryGetValue(layer.Name, out double value) && value != error.RelativeRms ? value : null;
        return new ConvertedLayerReport(
            layer.Name, layer.SourceFormat, layer.Shape.In, layer.Shape.Out, layer.Shape.Group, layer.IsAffine, layer.HasInputOrder, error.MaxAbsolute == 0, error.RelativeRms, error.MaxAbsolute, important);
    }
}
