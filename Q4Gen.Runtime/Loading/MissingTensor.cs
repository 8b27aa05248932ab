using Q4Gen.Safetensors;

namespace Q4Gen.Loading;

/// <summary>Says what a source has in place of a tensor that it lacks.</summary>
internal static class MissingTensor
{
    private const int MostNames = 3;

    // Distances cost the product of two lengths; these bound what a hostile source can make an error message cost.
    private const int LongestName = 256;
    private const int MostCandidates = 20_000;

    /// <summary>The whole message.</summary>
    public static string Describe(IWeightSource source, string prefix, string suffix)
    {
        string wanted = LayerTensors.Join(prefix, suffix);
        string message = $"{source.Description}: has no tensor {SafetensorsText.Quote(wanted)}";
        string plain = LayerTensors.Join(prefix, "weight");
        if (suffix != LayerTensors.BiasSuffix && source.TryGet(plain, out WeightTensor? unquantised))
        {
            return $"{message}, only the unquantised {SafetensorsText.Quote(plain)} ({unquantised}); quantise it first with Linear4BitQuantizer.QuantizeModel and load the result.";
        }

        string[] nearest = FindNearest(source.Names, wanted);
        return nearest.Length != 0
            ? $"{message}; the nearest of its {source.Names.Count} names: {string.Join(", ", nearest.Select(SafetensorsText.Quote))}. Check the prefix {SafetensorsText.Quote(prefix)}."
            : source.Names.Count == 0
                ? $"{message}, nor any other; check that it is the right file."
                : $"{message}; its {source.Names.Count} names are all different, such as {SafetensorsText.Quote(source.Names.First())}. Check the prefix {SafetensorsText.Quote(prefix)}.";
    }

    private static string[] FindNearest(IEnumerable<string> names, string wanted) =>
    [
        .. names.Take(MostCandidates)
            .Where(name => name.Length <= LongestName && wanted.Length <= LongestName)
            .Select(name => (Name: name, Distance: Distance(name, wanted)))
            .Where(candidate => candidate.Distance <= Math.Max(candidate.Name.Length, wanted.Length) / 2)
            .OrderBy(candidate => candidate.Distance)
            .ThenByDescending(candidate => SharedEnd(candidate.Name, wanted))
            .ThenBy(candidate => candidate.Name, StringComparer.Ordinal)
            .Take(MostNames)
            .Select(candidate => candidate.Name),
    ];

    private static int Distance(string name, string wanted) =>
        // A prefix too many or too few is the commonest mistake, and a far one in letters.
        name.EndsWith("." + wanted, StringComparison.Ordinal) || wanted.EndsWith("." + name, StringComparison.Ordinal)
            ? 1
            : EditDistance(name, wanted);

    private static int SharedEnd(string a, string b)
    {
        int shared = 0;
        while (shared < Math.Min(a.Length, b.Length) && a[^(shared + 1)] == b[^(shared + 1)])
        {
            shared++;
        }

        return shared;
    }

    /// <summary>Levenshtein: insertions, deletions and replacements that make one of the other.</summary>
    private static int EditDistance(string a, string b)
    {
        Span<int> row = stackalloc int[LongestName + 1];
        for (int j = 0; j <= b.Length; j++)
        {
            row[j] = j;
        }

        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(replaced, Math.Min(row[j], row[j - 1]) + 1);
            }
        }

        return row[b.Length];
    }
}
