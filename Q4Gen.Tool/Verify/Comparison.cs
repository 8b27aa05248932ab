using Q4Gen.Import;

namespace Q4Gen.Tool.Verify;

/// <summary>Compares the weights of two models' linear layers, decoded to floats.</summary>
internal static class Comparison
{
    /// <summary>A result for each layer of either model, in the order of their names.</summary>
    public static IReadOnlyList<LayerDifference> Compare(ModelFile model, ModelFile other, IProgress<double> progress, CancellationToken ct)
    {
        Dictionary<string, LinearLayer> ours = model.Layers.ToDictionary(layer => layer.Name);
        Dictionary<string, LinearLayer> others = other.Layers.ToDictionary(layer => layer.Name);
        string[] names = [.. ours.Keys.Union(others.Keys).Order(StringComparer.Ordinal)];
        var differences = new List<LayerDifference>();
        foreach (string name in names)
        {
            LinearLayer? left = ours.GetValueOrDefault(name), right = others.GetValueOrDefault(name);
            differences.Add(
                left is null ? new LayerDifference(name, Shape(right!), 0, 0, 0, "missing")
                : right is null ? new LayerDifference(name, Shape(left), 0, 0, 0, "not in the other")
                : left.Shape.In != right.Shape.In || left.Shape.Out != right.Shape.Out ? new LayerDifference(name, Shape(left), 0, 0, 0, $"{Shape(right)} in the other")
                : left.HasBias != right.HasBias ? new LayerDifference(name, Shape(left), 0, 0, 0, left.HasBias ? "no bias in the other" : "a bias in the other")
                : Compare(left, LayerRows.Of(model, left), LayerRows.Of(other, right), ct));
            progress.Report((double)differences.Count / names.Length);
        }

        return differences;
    }

    private static LayerDifference Compare(LinearLayer layer, LayerRows left, LayerRows right, CancellationToken ct)
    {
        float[] a = new float[layer.Shape.In], b = new float[layer.Shape.In];
        double squared = 0, reference = 0, largest = 0;
        long equal = 0;
        for (int row = 0; row < layer.Shape.Out; row++)
        {
            ct.ThrowIfCancellationRequested();
            left.Read(row, a);
            right.Read(row, b);
            for (int k = 0; k < a.Length; k++)
            {
                double difference = (double)a[k] - b[k];
                squared += difference * difference;
                reference += (double)b[k] * b[k];
                largest = Math.Max(largest, Math.Abs(difference));
                equal += a[k] == b[k] ? 1 : 0;
            }
        }

        double relative = squared == 0 ? 0 : reference == 0 ? double.PositiveInfinity : Math.Sqrt(squared / reference);
        return new LayerDifference(layer.Name, Shape(layer), relative, largest, (double)equal / ((long)layer.Shape.In * layer.Shape.Out));
    }

    private static string Shape(LinearLayer layer) => $"{layer.Shape.In}→{layer.Shape.Out}";
}
