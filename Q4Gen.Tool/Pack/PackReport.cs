using System.Globalization;
using Q4Gen.Import;
using Q4Gen.Tool.Console;
using Spectre.Console;

namespace Q4Gen.Tool.Pack;

/// <summary>What was packed; <c>--json</c> prints it as it is.</summary>
/// <param name="Input">The model.</param>
/// <param name="Format">What it is.</param>
/// <param name="Output">The packed file.</param>
/// <param name="Layout">The layout of its layers.</param>
/// <param name="Layers">Layers that are packed.</param>
/// <param name="Floats">Layers that stay floats.</param>
/// <param name="Hashes">Tensors that have a hash; 0 where none has.</param>
/// <param name="InputBytes">Bytes of the model's tensors.</param>
/// <param name="OutputBytes">Bytes of the file.</param>
/// <param name="Seconds">What it took.</param>
/// <param name="Rounded">Layers of formats whose scales or offsets are not all numbers of F16.</param>
internal sealed record PackReport(
    string Input,
    ModelFormat Format,
    string Output,
    string Layout,
    int Layers,
    int Floats,
    long Hashes,
    long InputBytes,
    long OutputBytes,
    double Seconds,
    IReadOnlyList<RoundedLayer> Rounded)
{
    public static PackReport Of(ModelFile model, string output, TimeSpan elapsed)
    {
        using SafetensorsFile packed = SafetensorsFile.Open(output);
        return new PackReport(
            model.Path,
            model.Format,
            output,
            packed.Metadata[PackedFile.LayoutKey],
            model.Layers.Count(layer => layer.IsQuantized),
            model.Layers.Count(layer => !layer.IsQuantized),
            PackedFile.HasHashes(packed) ? packed.Names.Count - 1 : 0,
            model.Tensors.Sum(tensor => tensor.ByteLength),
            new FileInfo(output).Length,
            elapsed.TotalSeconds,
            [.. model.Converted.Where(layer => layer.IsLossless == false).Select(layer => new RoundedLayer(layer.Name, layer.SourceFormat, layer.Error!.RelativeRms, layer.Error.MaxAbsolute))]);
    }

    public void Write(IAnsiConsole console)
    {
        if (Rounded.Count != 0)
        {
            Table table = Tables.Create("layer", "from").RightAligned("relative RMS error", "largest error");
            foreach (RoundedLayer layer in Rounded)
            {
                table.Row(
                    layer.Name, layer.From,
                    layer.RelativeRmsError.ToString("G3", CultureInfo.InvariantCulture), layer.MaxAbsoluteError.ToString("G3", CultureInfo.InvariantCulture));
            }

            console.Write(table);
        }

        console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{Output}: {Layers} layers in layout {Layout}{(Hashes == 0 ? "" : $", {Hashes} hashes")}; {Sizes.Of(InputBytes)} became {Sizes.Of(OutputBytes)} in {Seconds:F1} s ({Sizes.Of((long)(InputBytes / Math.Max(Seconds, 1e-3)))}/s)."));
        if (Floats != 0)
        {
            console.WriteLine($"Still floats: {Floats} of {Layers + Floats} linear layers; 'q4gen quantize' makes 4-bit layers of such.");
        }
    }
}

/// <summary>A layer that is not exactly what its file says; errors as <c>convert</c> has them.</summary>
internal sealed record RoundedLayer(string Name, string From, double RelativeRmsError, double MaxAbsoluteError);
