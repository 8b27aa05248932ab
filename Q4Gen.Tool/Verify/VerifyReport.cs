using System.Globalization;
using Q4Gen.Tool.Console;
using Spectre.Console;

namespace Q4Gen.Tool.Verify;

/// <summary>What <c>verify</c> found; <c>--json</c> prints it as it is.</summary>
/// <param name="Path">The file.</param>
/// <param name="Layers">Layers in 4 bits that loaded.</param>
/// <param name="Tensors">Tensors that were read.</param>
/// <param name="Hashes">Tensors whose hashes were checked; null where the file has none.</param>
/// <param name="Problems">What a loader would reject, one sentence each.</param>
/// <param name="Against">The other file; null where there is none.</param>
/// <param name="Differences">How far each layer is from the other file's.</param>
/// <param name="Allowed">The largest relative RMS difference that is allowed; null where any is.</param>
internal sealed record VerifyReport(
    string Path,
    int Layers,
    int Tensors,
    int? Hashes,
    IReadOnlyList<string> Problems,
    string? Against,
    IReadOnlyList<LayerDifference>? Differences,
    double? Allowed)
{
    /// <summary>Whether a layer of the other file is missing or another, or differs by more than is allowed.</summary>
    public bool IsDifferent => Differences?.Any(difference => difference.Problem is not null || difference.RelativeRms > Allowed) == true;

    public void Write(IAnsiConsole console)
    {
        foreach (string problem in Problems)
        {
            console.WriteLine(problem);
        }

        console.WriteLine(Problems.Count == 0
            ? $"{Path}: all {Layers} layers in 4 bits load, and all {Tensors} tensors are finite{(Hashes is null ? "" : $"; all {Hashes} hashes are right")}."
            : $"{Path}: {Problems.Count} problems.");
        if (Differences is null)
        {
            return;
        }

        Table table = Tables.Create("layer", "shape").RightAligned("relative RMS difference", "largest difference", "equal weights");
        foreach (LayerDifference difference in Differences)
        {
            table.Row(
                difference.Name,
                difference.Shape,
                difference.Problem ?? difference.RelativeRms.ToString("G3", CultureInfo.InvariantCulture),
                difference.Problem is null ? difference.MaxAbsolute.ToString("G3", CultureInfo.InvariantCulture) : "",
                difference.Problem is null ? difference.EqualShare.ToString("P1", CultureInfo.InvariantCulture) : "");
        }

        console.Write(table);
        console.WriteLine(IsDifferent
            ? $"{Path} differs from {Against}{(Allowed is { } allowed ? string.Create(CultureInfo.InvariantCulture, $" by more than {allowed} in some layer, or a layer is missing or another") : ": a layer is missing or another")}."
            : $"{Path} has the layers of {Against}{(Allowed is { } most ? string.Create(CultureInfo.InvariantCulture, $", none further than {most} from them") : "")}.");
    }
}

/// <summary>A layer of two files.</summary>
/// <param name="Name">Its prefix.</param>
/// <param name="Shape">In and out features.</param>
/// <param name="RelativeRms"><c>√(Σ(w − v)² / Σv²)</c>, v of the other file; 0 where both are zeros.</param>
/// <param name="MaxAbsolute"><c>max |w − v|</c>, in units of the weights.</param>
/// <param name="EqualShare">Share of weights that are the same float32.</param>
/// <param name="Problem">Why the two cannot be compared; null where they can.</param>
internal sealed record LayerDifference(string Name, string Shape, double RelativeRms, double MaxAbsolute, double EqualShare, string? Problem = null);
